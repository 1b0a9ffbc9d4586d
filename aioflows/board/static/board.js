// The page: what it asks the server, what it shows when something has changed, and what the address keeps.

const base = location.pathname.replace(/\/(index\.html)?$/, "") + "/";
const KEPT = ["flow", "owner", "status", "type"];
let stream = null, tries = 0, resets = 0, toldAt = 0, timer = 0, resting = 0, stale = true, order = "trouble", asTable = false, sorted = [], sortedAt = 0, resort = false;

// The stream

async function connect() {
  clearTimeout(timer);
  stream?.close();
  try {
    const message = await fetchJSON("state");
    board = emptyBoard();
    apply(message);
    listen();
    sortedAt = 0;
    changed();
  } catch {
    lost();
  }
}

function listen() {
  stream?.close();
  toldAt = Date.now();
  const opened = stream = new EventSource(`${base}events?after=${encodeURIComponent(board.id)}`);
  opened.onopen = () => { tries = 0; toldAt = Date.now(); document.body.dataset.stream = "open"; showState(); };
  opened.onmessage = event => {
    toldAt = Date.now();
    resets = 0;
    apply(JSON.parse(event.data));
    board.id = event.lastEventId;
    changed();
  };
  opened.addEventListener("reset", () => {
    opened.close();
    clearTimeout(timer);
    timer = setTimeout(connect, resets ? Math.min(15000, 500 * 2 ** resets) : 0);
    resets += 1;
  });
  opened.onerror = () => {
    document.body.dataset.stream = "lost";
    showState();
    if (opened === stream && opened.readyState === EventSource.CLOSED) lost();
  };
}

function lost() {
  document.body.dataset.stream = "lost";
  showState();
  tries += 1;
  clearTimeout(timer);
  timer = setTimeout(board.id ? listen : connect, Math.min(15000, 500 * 2 ** tries));
}

// A connection can end without a word, as when a machine sleeps. The board says something every ten seconds.
function watchStream() {
  if (!stream || Date.now() - toldAt < 30000 || (board.info.service || {}).state === "stopped") return;
  document.body.dataset.stream = "lost";
  showState();
  listen();
}

// A browser allows a few streams to a server, over all its tabs. A tab that nobody sees gives its own back.
function rest() {
  clearTimeout(resting);
  if (document.hidden) resting = setTimeout(() => { stream?.close(); stream = null; }, 60000);
  else if (!stream && board.id) listen();
}

// What is shown

function changed() {
  if (stale) return;
  stale = true;
  requestAnimationFrame(show);
}

function show() {
  stale = false;
  const { rows, totals } = matching();
  // The order is kept for a moment, so that a row does not run away from the mouse.
  if (Date.now() - sortedAt > 5000 || !sorted.length) {
    sorted = ordered(rows, order);
    sortedAt = Date.now();
    resort = false;
  } else {
    resort = true;
    const place = new Map(sorted.map((row, at) => [row.flow.number, at]));
    sorted = rows.sort((one, other) => (place.get(one.flow.number) ?? 1e9) - (place.get(other.flow.number) ?? 1e9));
  }
  showTiles(totals, sorted.length);
  byId("nothing").hidden = sorted.length > 0;
  byId("grid").hidden = asTable || !sorted.length;
  byId("table").hidden = !asTable || !sorted.length;
  byId("cell").hidden = byId("legend").hidden = asTable;
  if (asTable) showTable(sorted);
  else showRows(sorted);
  showLists();
  showChoices();
  showState();
  document.body.dataset.shown = board.id;
}

function showLists() {
  showFailing();
  showRunning();
  showDue();
}

function showState() {
  const service = board.info.service || { state: "ok" }, connected = document.body.dataset.stream === "open";
  const state = connected ? service.state : "lost";
  document.body.dataset.state = state;
  const words = { ok: "live", throttled: "the service throttles", down: "the service does not answer", stopped: "stopped", lost: "no connection to the board; trying again" };
  setText(byId("state-text"), words[state]);
  const notice = byId("notice"), grave = service.state === "down" || service.state === "stopped";
  notice.hidden = service.state === "ok" && !board.info.unsaved;
  notice.toggleAttribute("data-grave", grave);
  if (service.state === "ok" && board.info.unsaved) setText(notice, `The checkpoint is not kept: ${board.info.unsaved}`);
  if (service.state !== "ok")
    setText(notice, `${words[service.state][0].toUpperCase()}${words[service.state].slice(1)}${service.since ? ` since ${moment(service.since).slice(11)}` : ""}: ${service.text}`);
  // Beside the notice, because its change would make a screen reader say the whole notice again.
  byId("heard").hidden = service.state === "ok" || !board.info.heard;
  if (board.info.heard) setText(byId("heard"), `The last answer came ${moment(board.info.heard).slice(11)}; what is shown may be older than it looks.`);
  const history = board.info.history || { share: 0 };
  byId("history").hidden = history.share >= 1;
  byId("share").setAttribute("aria-valuenow", String(Math.round(100 * history.share)));
  byId("share").firstElementChild.style.width = `${100 * history.share}%`;
  setText(byId("share-text"), `${Math.floor(100 * history.share)} % of the last ${duration(board.info.last_ms || 0)} is read, ${history.until ? `up to ${clock(history.until)}` : `${count(history.rows || 0)} runs, ${count(history.rate || 0)} a second`}`);
  if (board.info.title) setText(byId("title"), board.info.title);
  if (board.first) setText(byId("range"), `${moment(board.first * board.binMs).slice(0, 16)} to now, ${zone()}`
    + (board.info.checked ? `; last compared with a whole scan ${clock(board.info.checked)}` : ""));
}

// Filters, and the address that keeps them

function fillChoice(id, options, value) {
  const node = byId(id), wantedText = JSON.stringify(options);
  if (node.dataset.options !== wantedText) {
    node.dataset.options = wantedText;
    node.replaceChildren(...options.map(([key, text]) => element("option", { value: key }, text)));
  }
  if (node.value !== value) node.value = value;
}

const among = (options, value) => value === "" || options.some(([key]) => key === value) ? options : [...options, [value, value]];

function showChoices() {
  const owners = [...board.owners].filter(one => one !== undefined).sort().map(one => [one, one]);
  fillChoice("owner", among([["", "all"], ...owners], filters.owner), filters.owner);
  const groups = OUTCOMES.slice(0, OTHER).map(one => [one.key, one.label]);
  const names = board.statuses.filter(Boolean).slice().sort().map(one => [one, one]);
  fillChoice("status", among([["", "all"], ...groups, ...names], filters.status), filters.status);
  fillChoice("type", among([["", "all"], ["manual", "manual"], ["periodic", "periodic"], ["temporary", "temporary"]], filters.type), filters.type);
  if (document.activeElement !== byId("flow")) byId("flow").value = filters.flow;
  byId("order").value = order;
  byId("view").setAttribute("aria-pressed", String(asTable));
}

function suggestFlows() {
  const text = wanted(filters.flow), names = new Set();
  for (const flow of board.flows) {
    if (names.size >= 30) break;
    if (flow && flow.search.includes(text)) names.add(flow.name);
  }
  byId("flow-names").replaceChildren(...[...names].map(name => element("option", { value: name })));
}

function remember(name, value) {
  const address = new URL(location.href);
  if (value) address.searchParams.set(name, value);
  else address.searchParams.delete(name);
  history.replaceState(null, "", address);
}

function choose(name, value) {
  filters[name] = value;
  remember(name, value);
  page = 0;
  sortedAt = 0;
  changed();
}

function readAddress() {
  const given = new URL(location.href).searchParams;
  for (const name of KEPT) filters[name] = given.get(name) || "";
  order = ["trouble", "name", "runs"].includes(given.get("order")) ? given.get("order") : "trouble";
  asTable = given.get("view") === "table";
  return given.get("instance");
}

function wire() {
  makeTiles();
  wireGrid();
  wireLists();
  byId("filters").addEventListener("submit", event => event.preventDefault());
  byId("flow").addEventListener("input", event => { choose("flow", event.target.value); suggestFlows(); });
  byId("flow").addEventListener("focus", suggestFlows);
  for (const name of ["owner", "status", "type"]) byId(name).addEventListener("change", event => choose(name, event.target.value));
  byId("order").addEventListener("change", event => { order = event.target.value; remember("order", order === "trouble" ? "" : order); sortedAt = 0; changed(); });
  byId("view").addEventListener("click", () => { asTable = !asTable; remember("view", asTable ? "table" : ""); changed(); });
  byId("reset").addEventListener("click", () => { byId("flow").value = ""; for (const name of KEPT) choose(name, ""); });
  byId("dialog").addEventListener("close", () => { asking += 1; remember("instance", ""); });
  window.addEventListener("resize", changed);
  document.addEventListener("visibilitychange", rest);
  window.addEventListener("popstate", () => { readAddress(); changed(); });
  setInterval(() => {
    watchStream();
    if (document.hidden || stale) return;
    if (resort && Date.now() - sortedAt > 5000) changed();
    else { showRunning(); askToDraw(); showState(); }
  }, 1000);
}

wire();
const asked = readAddress();
stale = false;
connect().then(() => { if (asked) showInstance(asked); });
