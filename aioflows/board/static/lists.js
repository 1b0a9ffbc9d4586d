// The figures, the lists beside the grid, and the table that says the same as the grid.

const LISTED = 100, LINES = 100;
let page = 0;

const TILES = [
  ["runs", "Runs", "", ""], ["succeeded", "Succeeded", "ok", "succeeded"], ["failed", "Failed", "bad", "failed"],
  ["running", "Running", "run", "running"], ["waiting", "Waiting", "wait", "waiting"],
  ["cancelled", "Cancelled, skipped", "off", "cancelled"], ["flows-failing", "Flows failing now", "bad", null],
  ["missing", "Missing runs", "wait", null], ["late", "Late or overdue", "wait", null],
];

function makeTiles() {
  byId("tiles").append(...TILES.map(([key, label, tone, status]) => {
    const parts = [element("span", {}, label), element("strong", { id: `tile-${key}`, class: tone }, "–")];
    if (status === null) return element("div", {}, ...parts);
    return element("button", { type: "button", class: tone, "data-status": status, "aria-pressed": "false",
      onclick: () => choose("status", filters.status === status ? "" : status) }, ...parts);
  }));
  byId("legend").append(...OUTCOMES.slice(0, OTHER).map(one => {
    const mark = element("i", {}), high = { bad: 14, run: 10, wait: 5, off: 2, ok: 7 }[one.tone];
    mark.style.height = `${high}px`;
    if (one.tone === "run") mark.style.border = "1px solid var(--run)";
    else mark.style.background = `var(--${one.tone})`;
    return element("span", {}, mark, one.label.toLowerCase());
  }));
}

function showTiles(totals, rows) {
  const figures = new Map(OUTCOMES.map((one, at) => [one.key, totals[at]]));
  figures.set("runs", totals.reduce((sum, size) => sum + size, 0));
  figures.set("flows-failing", failing().length);
  for (const [key, , tone] of TILES) {
    if (!figures.has(key)) continue;
    const node = byId(`tile-${key}`);
    setText(node, count(figures.get(key)));
    node.className = figures.get(key) ? tone : "";
  }
  for (const button of byId("tiles").querySelectorAll("button"))
    button.setAttribute("aria-pressed", String(button.dataset.status !== "" && button.dataset.status === filters.status));
  setText(byId("runs-title"), `Runs by flow and time: ${count(rows)} flow${rows === 1 ? "" : "s"}`);
}

// A line that is replaced between the press and the release of a button or a key gets no click.
let held = false;

function wireLists() {
  for (const kind of ["pointerdown", "keydown"]) byId("lists").addEventListener(kind, () => { held = true; });
  for (const kind of ["pointerup", "pointercancel", "keyup", "blur"]) window.addEventListener(kind, () => setTimeout(() => { held = false; }));
  window.addEventListener("pointermove", event => { if (!event.buttons) held = false; });  // a menu takes the release
}

function fillList(id, entries, none) {
  if (held) return;
  const list = byId(id), rest = entries.length - LISTED, kept = document.activeElement;
  const focused = list.contains(kept) ? kept.dataset.key : null, top = list.scrollTop;
  const lines = entries.slice(0, LISTED).map(([key, press, ...parts]) =>
    element("li", {}, element("button", { type: "button", "data-key": key, onclick: press }, ...parts)));
  if (!lines.length) lines.push(element("li", { class: "none" }, none));
  if (rest > 0) lines.push(element("li", { class: "rest" }, `and ${count(rest)} more`));
  list.replaceChildren(...lines);
  list.scrollTop = top;
  if (focused !== null) list.querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

const span = (kind, text) => element("span", { class: kind }, text);

function failing() {
  const found = [];
  for (const [number, value] of board.fail) {
    const flow = board.flows[number];
    if (fitsFlow(flow) && flow.series.some(one => fitsSeries(board.series[one]))) found.push([flow, value]);
  }
  return found.sort((one, other) => other[1][0] - one[1][0] || one[1][1] - other[1][1]);
}

function showFailing() {
  const now = serviceNow(), found = failing();
  setText(byId("failing-count"), count(found.length));
  fillList("failing", found.map(([flow, [failures, since, success, id, status]]) => [
    String(flow.number), () => showInstance(id), span("name", flow.name),
    span("figure bad", failures === 1 ? board.statuses[status] : `${count(failures)} in a row`),
    span("more", `since ${shortTime(since)} (${duration(now - since)}), ${success === null
      ? (board.info.history || { share: 0 }).share < 1 ? "no success read yet" : `no success in ${duration(board.info.last_ms)}` : `last success ${shortTime(success)}`}`),
  ]), "No flow ended its last run with a failure.");
}

function showRunning() {
  const now = serviceNow(), found = openRuns();
  for (const run of found) run.share = run.p95 ? (now - run.start) / run.p95 : -1;
  found.sort((one, other) => other.share - one.share || one.start - other.start);
  setText(byId("running-count"), count(found.length));
  fillList("running", found.map(run => {
    const long = run.share > 1, bar = element("i", {});
    bar.style.width = `${Math.min(100, Math.max(0, 100 * run.share))}%`;
    const usual = run.p95 ? `p95 ${duration(run.p95)}${long ? `, ${run.share > 99 ? "over 99" : run.share.toFixed(1)} times that` : ""}` : "no run to compare with";
    return [run.id, () => showInstance(run.id), span("name", run.flow.name),
      span(`figure ${long ? "wait" : "run"}`, duration(now - run.start)),
      span("more", `started ${shortTime(run.start)}, ${usual}`),
      run.p95 ? element("span", { class: long ? "meter long" : "meter" }, bar) : null];
  }), "Nothing runs.");
}

// Scheduled runs have no owner here, and all of them are periodic.
const fitsDue = ([id, name]) => filters.flow === "" || `${name} ${id ?? ""}`.toLowerCase().includes(wanted(filters.flow));

function showDue() {
  const due = board.info.due;
  if (!due) {
    setText(byId("due-note"), "Checked once the past is read.");
    fillList("due", [], "Not checked yet.");
    return;
  }
  if (due.problem) {
    setText(byId("due-note"), due.problem);
    for (const id of ["tile-missing", "tile-late", "due-count"]) setText(byId(id), "–");
    byId("tile-missing").className = byId("tile-late").className = "";
    fillList("due", [], "Not checked.");
    return;
  }
  const late = due.late + due.waiting;
  setText(byId("tile-missing"), count(due.missing));
  byId("tile-missing").className = due.missing ? "wait" : "";
  setText(byId("tile-late"), count(late));
  byId("tile-late").className = late ? "wait" : "";
  setText(byId("due-count"), count(due.missing + late));
  setText(byId("due-note"), `By the schedules of the flows, checked up to ${clock(due.checked)}. Late is more than ${duration(1000 * due.late_s)}.`
    + (due.unjudged ? ` ${count(due.unjudged)} flow${due.unjudged === 1 ? "" : "s"} cannot be judged.` : "")
    + (due.earlier ? "" : ` The board knows no earlier runs yet, so schedules longer than ${duration(board.info.last_ms)} are not checked.`));
  const entry = (kind, text, press) => one => [`${kind} ${one[0]} ${one[2]}`, press(one), span("name", one[1]),
    span("figure wait", kind), span("more", text(one))];
  const find = one => () => choose("flow", one[1]), open = one => () => showInstance(one[4]);
  fillList("due", [
    ...due.waiting_runs.filter(fitsDue).map(entry("overdue", one => `due ${shortTime(one[2])}, has not started for ${duration(1000 * one[3])}`, open)),
    ...due.stopped_flows.filter(fitsDue).map(entry("missing", one => `${count(one[3])} run${one[3] === 1 ? "" : "s"} since the last one at ${shortTime(one[2])}`, find)),
    ...due.missing_runs.filter(fitsDue).reverse().map(entry("missing", one => `should have come ${shortTime(one[2])}`, find)),
    ...due.late_runs.filter(fitsDue).map(entry("late", one => `due ${shortTime(one[2])}, started ${duration(1000 * one[3])} later`, open)),
  ], due.flows ? "Every scheduled run came in time." : "No flow has a schedule that was checked.");
}

function showTable(rows) {
  const pages = Math.max(1, Math.ceil(rows.length / LINES));
  page = Math.min(page, pages - 1);
  const heads = ["Flow", "Runs", "Failed", "Running", "Waiting", "Cancelled", "Succeeded", "p95", "Failing since", "Last success"];
  const lines = rows.slice(page * LINES, (page + 1) * LINES).map(({ flow, counts }) => {
    const fail = board.fail.get(flow.number), p95 = board.p95.get(flow.number);
    const cells = [counts.reduce((sum, size) => sum + size, 0), ...counts.slice(0, OTHER)].map(count);
    cells.push(p95 === undefined ? "–" : duration(p95), fail ? shortTime(fail[1]) : "–", fail && fail[2] !== null ? shortTime(fail[2]) : "–");
    return element("tr", {}, element("th", { scope: "row" }, flow.name), ...cells.map((text, at) =>
      element("td", { class: at === 1 && counts[0] ? "bad" : "" }, text)));
  });
  const turn = by => () => { page += by; showTable(rows); };
  byId("table").replaceChildren(
    element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map(text => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...lines)),
    element("p", { class: "pages" },
      element("button", { type: "button", disabled: page === 0, onclick: turn(-1) }, "Previous"),
      `page ${page + 1} of ${pages}`,
      element("button", { type: "button", disabled: page === pages - 1, onclick: turn(1) }, "Next")));
}
