// The tables. A column is a name, the value that it is sorted by, and its text. Every table can be sorted and copied.
const LISTED = 15;
const sorting = new Map();

/** Return a text for a cell of CSV. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
const csvCell = (value) => {
  const text = typeof value === "string" && /^[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]/.test(value) ? `'${value}` : String(value ?? "");
  return /[",;\t\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
};
const copyText = async (text) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = make("textarea", undefined, document.body);
  area.value = text;
  area.select();
  document.execCommand("copy");
  area.remove();
};

/**
 * Fill a table.
 * @param id id of the table.
 * @param title caption.
 * @param columns list of [name, value of a line, text of a line, unit of the value]. Without the third, the value is the text.
 * @param lines all lines, in their first order.
 * @param left_out number of lines that the page does not hold.
 */
const table = (id, title, columns, lines, left_out = 0) => {
  const one = at(id), sort = sorting.get(id), text = ([, value, shown], line) => (shown ? shown(line) : String(value(line) ?? "–"));
  const order = (a, b) => (typeof a === "string" || typeof b === "string" ? String(a ?? "").localeCompare(String(b ?? "")) : (a ?? -Infinity) - (b ?? -Infinity));
  const value = sort && columns[sort.column][1];
  const sorted = sort ? [...lines].sort((a, b) => (sort.down ? -1 : 1) * order(value(a), value(b))) : lines;
  one.replaceChildren(one.caption);
  one.caption.replaceChildren();
  const count = lines.length > LISTED || left_out ? `, ${number(Math.min(LISTED, lines.length))} of ${number(lines.length + left_out)}` : "";
  make("span", `${title}${count}`, one.caption);
  const copy = make("button", "Copy as CSV", one.caption);
  copy.type = "button";
  copy.addEventListener("click", async () => {
    const text = [columns.map(([name, , , unit]) => csvCell(unit ? `${name} (${unit})` : name)), ...sorted.map((line) => columns.map(([, of]) => csvCell(of(line))))].map((cells) => `${cells.join(",")}\r\n`).join("");
    copy.textContent = await copyText(text).then(() => `Copied ${number(sorted.length)} lines`, () => "The browser does not allow copying");
  });
  const top = make("tr", undefined, make("thead", undefined, one)), body = make("tbody", undefined, one);
  columns.forEach(([name], column) => {
    const head = make("th", undefined, top), button = make("button", name, head), sorts = sort && sort.column === column;
    head.scope = "col";
    if (sorts) head.ariaSort = sort.down ? "descending" : "ascending";
    button.type = "button";
    button.addEventListener("click", () => {
      sorting.set(id, { column, down: sorts ? !sort.down : typeof (lines.length ? columns[column][1](lines[0]) : "") !== "string" });
      table(id, title, columns, lines, left_out);
      at(id).querySelectorAll("thead button")[column].focus();
    });
  });
  for (const line of sorted.slice(0, LISTED)) {
    const made = make("tr", undefined, body);
    columns.forEach((column, i) => {
      const cell = make(i ? "td" : "th", text(column, line), made);
      if (!i) cell.scope = "row";
    });
  }
};

const counted = (name, of) => [name, of, (line) => number(of(line))];
const lasting = (name, of) => [name, of, (line) => (of(line) === null ? "–" : formatDuration(of(line))), "ms"];
const failing = (noun, name) => [
  [noun, name],
  counted("instances", (one) => one.instances),
  counted("failures", (one) => one.failed),
  ["failed of finished", (one) => (one.finished ? one.failed / one.finished : null), (one) => percent(one.failed, one.finished)],
];
const change = (now, before) => (now && before ? now / before - 1 : null);
const changeText = (share) => (share === null ? "–" : `${share >= 0 ? "+" : "−"}${Math.abs(100 * share).toFixed(0)} %`);

const fillTables = (sum, by, now, before) => {
  table("by-status", "By status", [["status", ([state]) => all.states[state].name], counted("instances", ([, n]) => n), ["share", ([, n]) => n / sum.instances, ([, n]) => percent(n, sum.instances)]],
    [...sum.states].sort((a, b) => a[0] - b[0]));
  const none = { instances: 0, finished: 0, failed: 0 };
  const days = rows.filter(by.row).reverse().map((row) => ({ ...(sum.rows.get(row) || none), row }));
  table("by-day", "By day, newest first", failing("day", (one) => all.rows[one.row]), days);
  const worst = (map) => [...map.values()].sort((a, b) => b.failed - a.failed || b.instances - a.instances);
  const p95 = (map, name) => { const one = map.get(name); return one ? quantile(one.parts, 0.95, one.longest) : null; };
  const trend = (one) => change(p95(now.flows, one.name), p95(before.flows, one.name));
  const rate = (map, name) => { const one = map.get(name); return one && one.finished ? one.failed / one.finished : null; };
  const before_rate = (of) => (one) => rate(of, one.name);
  const share = (value) => (value === null ? "–" : percent(value, 1));
  table("by-flow", "By flow, most failures first", [
    ...failing("flow", (one) => all.names[one.name]),
    ["before", before_rate(before.flows), (one) => share(rate(before.flows, one.name))],
    lasting("p50", (one) => quantile(one.parts, 0.5, one.longest)), lasting("p95", (one) => quantile(one.parts, 0.95, one.longest)),
    ["p95 changed", trend, (one) => changeText(trend(one))],
    lasting("longest", (one) => (one.ran ? one.longest : null)), lasting("queue delay p95", (one) => quantile(one.delays, 0.95)),
  ], worst(sum.flows));
  table("by-owner", "By owner, most failures first", [
    ...failing("owner", (one) => all.owners[one.name] || "(folded flows)"), ["before", before_rate(before.owners), (one) => share(rate(before.owners, one.name))],
  ], worst(sum.owners));
  const failures = all.failures.filter((run) => by.states.has(run[3]) && by.source[run[2]] && by.row(rowOf(run[4])));
  table("failures", "Failed instances, newest first", [
    ["id", (run) => run[0]], ["flow", (run) => all.names[all.sources[run[1]][0]]], ["owner", (run) => all.owners[all.sources[run[1]][1]]], ["status", (run) => all.states[run[3]].name],
    ["trigger time", (run) => localTime(run[4])], lasting("duration", (run) => run[6]),
  ], failures, sum.failed - failures.length);
};

const fillScheduled = (found) => {
  at("scheduled").hidden = !found;
  for (const id of ["missing-runs", "late-runs", "stopped-flows"]) at(id).hidden = true;
  if (!found) return;
  if (found.left_out) {
    at("scheduled-counts").textContent = `Scheduled runs were not counted: ${found.left_out}.`;
    return;
  }
  at("scheduled-counts").textContent =
    `${number(found.expected)} expected, ${number(found.missing)} missing, ${number(found.doubled)} twice, ${number(found.late)} late by more than an hour; ${number(found.stopped)} flows stopped.`;
  at("scheduled-note").textContent = `The filters do not apply to this panel.${found.unjudged ? ` Not judged: ${found.unjudged}.` : ""}`;
  const list = (id, title, whole, names, lines) => {
    at(id).hidden = !lines.length;
    if (lines.length) table(id, title, names.map((name, i) => (typeof lines[0][i] === "number" && name !== "id" ? counted(name, (line) => line[i]) : [name, (line) => line[i]])), lines, whole - lines.length);
  };
  list("missing-runs", "Missing runs", found.missing, ["flow", "id", "scheduled for"], found.first_missing);
  list("late-runs", "Late runs", found.late, ["flow", "id", "instance", "scheduled for", "started after (s)"], found.first_late);
  list("stopped-flows", "Flows that stopped", found.stopped, ["flow", "id", "last instance", "scheduled since"], found.first_stopped);
};
