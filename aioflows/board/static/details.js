// The dialog: the runs of a cell, and one instance with its task graph drawn.

const NODE = { width: 168, height: 50, gapX: 54, gapY: 16, edge: 16 };

async function fetchJSON(path) {
  const answer = await fetch(base + path, { cache: "no-store", credentials: "same-origin" });
  const members = await answer.json();
  if (!answer.ok) throw new Error(members.error || `the board answered ${answer.status}`);
  return members;
}

// The number of the last thing that the dialog was asked to show. An answer to an earlier question comes too late.
let asking = 0;

function openDialog(title, ...content) {
  setText(byId("dialog-title"), title);
  byId("dialog-body").replaceChildren(...content);
  byId("tip").hidden = true;  // a finger leaves the grid without a word
  if (!byId("dialog").open) byId("dialog").showModal();
}

const toneOf = name => OUTCOMES[outcomeOf(name)].tone;

async function showRuns(flow, bin) {
  const mine = asking += 1, from = bin * board.binMs, title = `${flow.name}, ${shortTime(from)}–${clock(from + board.binMs)}`;
  openDialog(title, element("p", { class: "quiet" }, "reading"));
  try {
    const { runs, left_out } = await fetchJSON(`runs?flow=${flow.number}&bin=${bin}${runFilters(flow)}`);
    if (mine !== asking) return;
    const lines = runs.map(run => element("tr", {},
      element("th", { scope: "row" }, element("button", { type: "button", onclick: () => showInstance(run.id) }, run.id)),
      element("td", { class: toneOf(run.status) }, run.status ?? "–"), element("td", {}, moment(run.trigger)),
      element("td", {}, run.start === null || run.end === null ? "–" : duration(run.end - run.start))));
    openDialog(title, lines.length ? element("table", {},
      element("thead", {}, element("tr", {}, ...["Instance", "Status", "Trigger time", "Duration"].map(text => element("th", { scope: "col" }, text)))),
      element("tbody", {}, ...lines)) : element("p", {}, "There is no run."),
    left_out ? element("p", { class: "quiet" }, `and ${count(left_out)} more`) : "");
  } catch (error) {
    if (mine === asking) openDialog(title, element("p", { class: "bad" }, String(error.message)));
  }
}

// The filters as the numbers of the series and the statuses that pass them.
function runFilters(flow) {
  const fits = statusFilter(), series = flow.series.filter(number => fitsSeries(board.series[number]));
  return (filters.owner || filters.type ? `&series=${series}` : "")
    + (filters.status ? `&status=${[...board.statuses.keys()].filter(fits)}` : "");
}

async function showInstance(id) {
  const mine = asking += 1;
  openDialog(id, element("p", { class: "quiet" }, "reading"));
  remember("instance", id);
  try {
    const found = await fetchJSON(`instance?id=${encodeURIComponent(id)}`);
    if (mine === asking) openDialog(`${found.flow} · ${found.id}`, ...instanceParts(found));
  } catch (error) {
    if (mine === asking) openDialog(id, element("p", { class: "bad" }, String(error.message)));
  }
}

function instanceParts(found) {
  const ended = found.end ?? (found.final ? null : serviceNow());
  const facts = [
    ["Status", found.status ?? "–", toneOf(found.status)], ["Owner", found.owner || "–"], ["Schedule", found.freq || "–"],
    ["Trigger time", found.trigger === null ? "–" : moment(found.trigger)], ["Start", found.start === null ? "–" : moment(found.start)],
    ["End", found.end === null ? "–" : moment(found.end)],
    [found.end === null && !found.final ? "Runs for" : "Duration", found.start === null || ended === null ? "–" : duration(ended - found.start)],
    ["Waited", found.start === null || found.trigger === null ? "–" : duration(found.start - found.trigger)],
  ];
  const list = element("dl", {}, ...facts.map(([name, value, tone]) =>
    element("div", {}, element("dt", {}, name), element("dd", { class: tone || "" }, value))));
  if (!found.tasks.length) return [list, element("p", { class: "quiet" }, "Its task graph names no task.")];
  const times = task => task.times.map(([name, text]) => `${name} ${text}`).join(", ") || "–";
  const table = element("table", {},
    element("thead", {}, element("tr", {}, ...["Task", "Status", "Times"].map(text => element("th", { scope: "col" }, text)))),
    element("tbody", {}, ...found.tasks.map(task => element("tr", {}, element("th", { scope: "row" }, task.name),
      element("td", { class: task.status ? toneOf(task.status) : "" }, task.status ?? "–"), element("td", {}, times(task))))));
  const more = found.left_out ? [element("p", { class: "quiet" }, `and ${count(found.left_out)} more tasks`)] : [];
  return [list, drawnGraph(found), table, ...more];
}

// The column of a task is the longest way to it. A link that would close a circle counts for nothing.
function columnsOf(tasks, links) {
  const next = new Map(tasks.map(task => [task.node, []])), column = new Map(), open = new Set();
  for (const [from, to] of links) if (next.has(from) && next.has(to)) next.get(to).push(from);
  const place = node => {
    if (column.has(node)) return column.get(node);
    open.add(node);
    const before = next.get(node).filter(one => !open.has(one)).map(place);
    open.delete(node);
    column.set(node, before.length ? 1 + Math.max(...before) : 0);
    return column.get(node);
  };
  tasks.forEach(task => place(task.node));
  return column;
}

function svg(tag, members, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(members)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function drawnGraph(found) {
  const column = columnsOf(found.tasks, found.links), filled = new Map(), places = new Map();
  for (const task of found.tasks) {
    const x = column.get(task.node), y = filled.get(x) || 0;
    filled.set(x, y + 1);
    places.set(task.node, { x: NODE.edge + x * (NODE.width + NODE.gapX), y: NODE.edge + y * (NODE.height + NODE.gapY) });
  }
  const wide = 2 * NODE.edge + (Math.max(...column.values()) + 1) * (NODE.width + NODE.gapX) - NODE.gapX;
  const high = 2 * NODE.edge + Math.max(...filled.values()) * (NODE.height + NODE.gapY) - NODE.gapY;
  const picture = svg("svg", { width: wide, height: high, role: "img", "aria-label": `Task graph with ${found.tasks.length} tasks; the table below lists them` });
  picture.append(svg("defs", {}, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 7, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" },
    svg("path", { d: "M0 0L8 4L0 8z" }))));
  for (const [from, to] of found.links) {
    const one = places.get(from), other = places.get(to);
    if (!one || !other) continue;
    const x = one.x + NODE.width, y = one.y + NODE.height / 2, end = other.y + NODE.height / 2, bend = NODE.gapX / 2;
    picture.append(svg("path", { d: `M${x} ${y}C${x + bend} ${y} ${other.x - bend} ${end} ${other.x - 1} ${end}`, "marker-end": "url(#arrow)" }));
  }
  for (const task of found.tasks) picture.append(drawnTask(task, places.get(task.node)));
  const box = element("div", { class: "drawing", tabindex: "0", role: "region", "aria-label": "Drawing of the task graph" });
  box.append(picture);
  return box;
}

function drawnTask(task, { x, y }) {
  const cut = (text, most) => text.length > most ? `${text.slice(0, most - 1)}…` : text;
  const label = svg("text", { x: x + 14, y: y + 21 }), under = svg("text", { x: x + 14, y: y + 38, class: "small" });
  label.textContent = cut(task.name, 22);
  under.textContent = cut([task.status ?? "no status", ...task.times.map(([, text]) => text)].join(" · "), 26);
  const title = svg("title", {});
  title.textContent = `${task.name} ${task.id}`;
  return svg("g", {}, title, svg("rect", { x, y, width: NODE.width, height: NODE.height, rx: 5 }),
    svg("rect", { x, y: y + 6, width: 4, height: NODE.height - 12, class: `bar ${task.status ? toneOf(task.status) : ""}` }), label, under);
}
