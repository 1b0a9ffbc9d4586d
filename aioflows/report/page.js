// The filters, and what is drawn again when they change. The filters are kept in the URL, so that a view can be sent as a link.
const at = (id) => document.getElementById(id);
const make = (tag, text, parent) => {
  const one = document.createElement(tag);
  if (text !== undefined) one.textContent = text;
  if (parent) parent.append(one);
  return one;
};
const choices = (select, words, first) => {
  if (first) make("option", first, select).value = "";
  for (const [value, text] of words) make("option", text, select).value = value;
};
const byText = (a, b) => a.localeCompare(b);

const fillFilters = () => {
  const sources = [...new Set(all.counts[2] || [])].map((source) => all.sources[source]);
  const words = (column, names) => [...new Set(sources.map((source) => names[source[column]]))].filter(Boolean).sort(byText);
  for (const name of words(0, all.names)) make("option", undefined, at("flows")).value = name;
  choices(at("owner"), words(1, all.owners).map((name) => [name, name]), "every owner");
  const days = rows.map((row) => [all.rows[row], all.rows[row]]);
  choices(at("from"), days, "the beginning");
  choices(at("to"), days, "the end");
  choices(at("day"), all.days.map((one, i) => [i, one.day]));
  if (all.days.length) {
    const newest = [...at("day").options].pop();
    newest.defaultSelected = newest.selected = true;
  }
  all.states.forEach((state, i) => {
    const label = make("label", undefined, at("statuses"));
    const box = make("input", undefined, label);
    Object.assign(box, { type: "checkbox", defaultChecked: true, value: state.name });
    make("i", undefined, label).style.background = colour(i);
    make("span", state.name, label);
  });
};

const readUrl = () => {
  const kept = new URLSearchParams(location.hash.slice(1));
  for (const id of ["flow", "owner", "from", "to", "measure"]) if (kept.has(id)) at(id).value = kept.get(id);
  const states = kept.get("status")?.split(",");
  if (states) for (const box of document.querySelectorAll("#statuses input")) box.checked = states.includes(box.value);
};
const writeUrl = () => {
  const kept = new URLSearchParams();
  for (const id of ["flow", "owner", "from", "to"]) if (at(id).value) kept.set(id, at(id).value);
  if (at("measure").value !== "failures") kept.set("measure", at("measure").value);
  const boxes = [...document.querySelectorAll("#statuses input")];
  if (boxes.some((box) => !box.checked)) kept.set("status", boxes.filter((box) => box.checked).map((box) => box.value).join(","));
  history.replaceState(null, "", `#${kept}`);
};

const chosen = () => {
  const value = (id) => at(id).value, names = new Set(all.names), typed = value("flow").trim().toLowerCase();
  const flow = (name) => !typed || (names.has(value("flow")) ? name === value("flow") : name.toLowerCase().includes(typed));
  const boxes = [...document.querySelectorAll("#statuses input")];
  const states = new Set(boxes.flatMap((box, i) => (box.checked ? [i] : [])));
  const source = all.sources.map(([name, owner]) => flow(all.names[name]) && (!value("owner") || all.owners[owner] === value("owner")));
  const row = (one) => (!value("from") || all.rows[one] >= value("from")) && (!value("to") || all.rows[one] <= value("to"));
  return { states, source, row };
};

const fillHead = () => {
  const selection = all.selection[0].toUpperCase() + all.selection.slice(1);
  document.title = `${selection}, ${all.from} to ${all.to}${all.service ? ` · ${all.service}` : ""}`;
  at("title").textContent = selection;
  at("range").textContent = `${number(all.instances)} instances triggered from ${all.from} to ${all.to}, in the zone ${all.zone}${all.service ? `, of ${all.service}` : ""}`;
  at("origin").textContent = `Made ${all.made} (${all.zone}) from a scan with ${number(all.requests)} requests: ${all.verdict}. Zone of the service: ${all.service_zone}.`;
  const note = (text) => make("li", text, at("notes"));
  note("A share that failed is a share of the finished instances: those that succeeded, failed, timed out, were cancelled or were skipped.");
  if (all.undated) note(`${number(all.undated)} instances have no trigger time. They are not in the figures below.`);
  if (all.folded) note(`The ${number(all.folded)} flows with the fewest instances are combined as “other flows”, to keep this page small.`);
  if (all.span > 1) note(`Days are combined into groups of ${all.span}, to keep this page small. Each group has the name of its first day.`);
};

const fillFigures = (sum, now, before, days) => {
  at("figures").replaceChildren();
  const flows = sum.flows.has(all.sources[0][0]) ? `${number(sum.flows.size - 1)} and others` : number(sum.flows.size);
  for (const [id, name, text, more] of [
    ["instances", "Instances", number(sum.instances)], ["success", "Success rate", percent(sum.success, sum.finished)], ["failed", "Failures", number(sum.failed)],
    ["rate", "Failure rate", percent(sum.failed, sum.finished), days.before.length ? `${percent(now.failed, now.finished)} in ${dayRange(days.now)}, ${percent(before.failed, before.finished)} in ${dayRange(days.before)}` : ""],
    ["running", "Running", number(sum.running)], ["flows", "Flows", flows],
  ]) {
    const one = make("div", undefined, at("figures"));
    make("dt", name, one);
    make("dd", text, one).id = `figure-${id}`;
    if (more) make("dd", more, one).className = "quiet";
  }
  at("nothing").hidden = sum.instances > 0;
  const about = (parts, longest, noun) => `half ${noun} less than about ${formatDuration(quantile(parts, 0.5, longest))}, 95 % less than about ${formatDuration(quantile(parts, 0.95, longest))}`;
  at("quantiles").textContent = sum.ran
    ? `${number(sum.ran)} runs ended; ${about(sum.parts, sum.longest, "took")}; the longest took ${formatDuration(sum.longest)}.`
    : "No run has a start and an end.";
  at("delays").textContent = sum.queued ? `${number(sum.queued)} runs started; ${about(sum.delays, Infinity, "waited")} from the trigger time to the start.` : "No run has started.";
  const compared = days.before.length ? `“Before” and changes compare ${dayRange(days.now)} with ${dayRange(days.before)}.` : "There are no earlier days to compare with.";
  at("compared").textContent = `${compared} Quantiles are approximate, since times are counted in steps.`;
};

let turn = 0;
const show = async () => {
  const mine = ++turn, by = chosen(), sum = totals(by), layout = makeLayout(), days = periods(rows.filter(by.row));
  const of = (list) => totals({ ...by, row: Set.prototype.has.bind(new Set(list)) }), now = of(days.now), before = of(days.before);
  document.body.dataset.drawn = "";
  fillFigures(sum, now, before, days);
  fillTables(sum, by, now, before);
  await Promise.all([
    drawHeat(sum, by, layout), drawTime(sum, by, layout), drawSteps("length", sum.parts, "runs", "#0072b2", layout),
    drawSteps("queue", sum.delays, "runs", "#56b4e9", layout), drawSlow(sum, layout), drawRuns(by, layout),
  ]);
  if (mine === turn) document.body.dataset.drawn = String(turn);
};

fillFilters();
readUrl();
fillHead();
fillScheduled(all.scheduled);
document.body.addEventListener("change", () => {
  writeUrl();
  show();
});
at("filters").addEventListener("submit", (event) => event.preventDefault());
at("clear-filters").addEventListener("click", () => {
  at("filters").reset();
  at("measure").value = "failures";
  writeUrl();
  show();
});
window.addEventListener("hashchange", () => {
  at("filters").reset();
  at("measure").value = "failures";
  readUrl();
  show();
});
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
show();
