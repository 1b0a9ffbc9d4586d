// What the board holds: the same counts as the server, kept by whole values that come as changes.

const OUTCOMES = [
  { key: "failed", label: "Failed", tone: "bad", names: ["FAIL", "INTERNAL_ERROR", "TIMEOUT"] },
  { key: "running", label: "Running", tone: "run", names: ["RUNNING", "RERUN"] },
  { key: "waiting", label: "Waiting", tone: "wait", names: ["INIT", "WAIT", "READY", "SUSPEND"] },
  { key: "cancelled", label: "Cancelled or skipped", tone: "off", names: ["CANCEL", "SKIP"] },
  { key: "succeeded", label: "Succeeded", tone: "ok", names: ["SUCCESS"] },
  { key: "other", label: "Other", tone: "off", names: [] },
];
const OTHER = OUTCOMES.length - 1, STATUSES = 64;
const TYPES = new Map([[0, "manual"], [1, "periodic"], [2, "temporary"], [-1, "unknown"]]);

let board = emptyBoard();
const filters = { flow: "", owner: "", status: "", type: "" };

function emptyBoard() {
  return {
    id: "", binMs: 600000, first: 0, version: 0, ahead: 0, info: {}, flows: [], owners: [], statuses: [], outcomes: [],
    series: [], runs: new Map(), fail: new Map(), p95: new Map(),
  };
}

const serviceNow = () => Date.now() + board.ahead;
const outcomeOf = name => { const at = OUTCOMES.findIndex(one => one.names.includes(name)); return at < 0 ? OTHER : at; };

function apply(message) {
  if (message.bin_ms) board.binMs = message.bin_ms;
  if (message.now) board.ahead = message.now - Date.now();
  if (message.id) board.id = message.id;
  for (const [number, [id, name]] of message.flow || [])
    board.flows[number] = { number, id, name, search: `${name} ${id ?? ""}`.toLowerCase(), series: board.flows[number]?.series || [], version: -1 };
  for (const [number, name] of message.owner || []) board.owners[number] = name;
  for (const [number, name] of message.status || []) {
    board.statuses[number] = name;
    board.outcomes[number] = outcomeOf(name);
  }
  for (const [number, [flow, owner, type]] of message.series || []) {
    if (board.series[number]) continue;  // a flow that had no run for a while is told anew
    board.series[number] = { flow, owner, type, cells: new Map(), totals: new Map() };
    board.flows[flow].series.push(number);
  }
  board.version += 1;
  for (const line of message.cell || []) applyCounts(line, message.base);
  for (const [kind, kept] of [["run", board.runs], ["fail", board.fail], ["p95", board.p95]])
    for (const [key, value] of message[kind] || []) {
      if (value === null) kept.delete(key);
      else kept.set(key, value);
    }
  Object.assign(board.info, message.info || {});
  if (board.info.first > board.first) dropBefore(board.info.first);
}

function applyCounts(line, base) {
  const series = board.series[line[0]];
  let key = base * STATUSES, at = 1;
  while (at < line.length) {
    key += line[at++];
    const number = line[at] < 0 ? -line[at++] - 1 : 1;
    const status = key % STATUSES, before = series.cells.get(key) || 0;
    if (number) series.cells.set(key, number);
    else series.cells.delete(key);
    series.totals.set(status, (series.totals.get(status) || 0) + number - before);
  }
  board.flows[series.flow].version = board.version;
}

function dropBefore(first) {
  board.first = first;
  for (const series of board.series.filter(Boolean))
    for (const [key, number] of series.cells)
      if (key < first * STATUSES) {
        series.cells.delete(key);
        series.totals.set(key % STATUSES, series.totals.get(key % STATUSES) - number);
        board.flows[series.flow].version = board.version;
      }
}

const binCount = () => Math.max(1, Math.ceil((board.info.last_ms || 86400000) / board.binMs));

// Filters

function fitsSeries(series) {
  return (filters.type === "" || TYPES.get(series.type) === filters.type)
    && (filters.owner === "" || board.owners[series.owner] === filters.owner);
}

const wanted = text => text.trim().toLowerCase();
const fitsFlow = flow => filters.flow === "" || flow.search.includes(wanted(filters.flow));

function statusFilter() {
  const group = OUTCOMES.findIndex(one => one.key === filters.status);
  if (filters.status === "") return () => true;
  return group >= 0 ? status => board.outcomes[status] === group : status => board.statuses[status] === filters.status;
}

// The flows that match, each with its counts by outcome, and the counts of all of them.
function matching() {
  const rows = [], totals = new Array(OUTCOMES.length).fill(0), fitsStatus = statusFilter();
  for (const flow of board.flows) {
    if (!flow || !fitsFlow(flow)) continue;
    const counts = new Array(OUTCOMES.length).fill(0);
    let shown = 0;
    for (const number of flow.series) {
      const series = board.series[number];
      if (!fitsSeries(series)) continue;
      for (const [status, size] of series.totals) {
        counts[board.outcomes[status]] += size;
        if (fitsStatus(status)) shown += size;
      }
    }
    counts.forEach((size, at) => { totals[at] += size; });
    if (shown) rows.push({ flow, counts, runs: shown });
  }
  return { rows, totals };
}

function ordered(rows, order) {
  const byName = (one, other) => one.flow.search < other.flow.search ? -1 : 1;
  if (order === "name") return rows.sort(byName);
  if (order === "runs") return rows.sort((one, other) => other.runs - one.runs || byName(one, other));
  const streak = row => (board.fail.get(row.flow.number) || [0])[0];
  return rows.sort((one, other) => streak(other) - streak(one) || other.counts[0] - one.counts[0] || byName(one, other));
}

// The bins of a flow: the worst outcome of each, plus one. 0 stands for no run.
function binsOf(flow) {
  const mark = `${flow.version} ${board.first} ${filters.owner} ${filters.type} ${filters.status}`;
  if (flow.mark === mark) return flow.bins;
  const bins = new Uint8Array(binCount() + 2), fitsStatus = statusFilter();
  for (const number of flow.series) {
    const series = board.series[number];
    if (!fitsSeries(series)) continue;
    for (const key of series.cells.keys()) {
      const at = Math.floor(key / STATUSES) - board.first, status = key % STATUSES;
      if (at < 0 || at >= bins.length || !fitsStatus(status)) continue;
      const worst = board.outcomes[status] + 1;
      if (!bins[at] || worst < bins[at]) bins[at] = worst;
    }
  }
  Object.assign(flow, { bins, mark });
  return bins;
}

// The counts of a flow in a bin, by the name of the status.
function countsAt(flow, bin) {
  const found = new Map(), fitsStatus = statusFilter();
  for (const number of flow.series) {
    const series = board.series[number];
    if (!fitsSeries(series)) continue;
    for (let status = 0; status < board.statuses.length; status += 1) {
      const size = series.cells.get(bin * STATUSES + status);
      if (size && fitsStatus(status)) found.set(board.statuses[status], (found.get(board.statuses[status]) || 0) + size);
    }
  }
  return found;
}

// Runs that are listed by name pass the same filters as the counts.
function openRuns() {
  const fitsStatus = statusFilter(), found = [];
  for (const [id, [number, status, trigger, start]] of board.runs) {
    const series = board.series[number];
    if (OUTCOMES[board.outcomes[status]].key !== "running" || !fitsStatus(status)) continue;
    if (!fitsSeries(series) || !fitsFlow(board.flows[series.flow])) continue;
    found.push({ id, flow: board.flows[series.flow], trigger, start: start ?? trigger, p95: board.p95.get(series.flow) });
  }
  return found;
}
