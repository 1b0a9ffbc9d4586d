// The grid of runs: a canvas that draws the rows in sight only, and a cell that follows the mouse and the arrow keys.

const ROW = 18, AXIS = 22;
const grid = { rows: [], cell: null, labels: 220, width: 0, height: 0, asked: false, colours: {} };

function readColours() {
  const style = getComputedStyle(document.documentElement);
  for (const name of ["ok", "bad", "run", "wait", "off", "ink", "quiet", "line", "soft", "panel"])
    grid.colours[name] = style.getPropertyValue(`--${name}`).trim();
}

function showRows(rows) {
  grid.rows = rows;
  byId("space").style.height = `${AXIS + rows.length * ROW}px`;
  byId("grid").style.height = `${Math.min(AXIS + rows.length * ROW + 1, Math.max(260, window.innerHeight - 330))}px`;
  askToDraw();
}

function askToDraw() {
  if (grid.asked) return;
  grid.asked = true;
  requestAnimationFrame(() => { grid.asked = false; draw(); });
}

function fitCanvas() {
  const box = byId("grid"), canvas = byId("canvas"), ratio = window.devicePixelRatio || 1;
  grid.width = box.clientWidth;
  grid.height = box.clientHeight;
  grid.labels = Math.min(230, Math.max(96, Math.round(grid.width * 0.26)));
  const [wide, high] = [Math.round(grid.width * ratio), Math.round(grid.height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
    canvas.style.height = `${grid.height}px`;
  }
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

const plot = () => ({ left: grid.labels, size: (grid.width - grid.labels - 2) / binCount() });

function draw() {
  if (byId("grid").hidden) return;
  const context = fitCanvas(), colours = grid.colours, top = byId("grid").scrollTop, { left, size } = plot();
  context.clearRect(0, 0, grid.width, grid.height);
  context.font = "12px system-ui, sans-serif";
  context.textBaseline = "middle";
  const from = Math.max(0, Math.floor(top / ROW)), to = Math.min(grid.rows.length, from + Math.ceil(grid.height / ROW) + 1);
  for (let number = from; number < to; number += 1) drawRow(context, number, AXIS + number * ROW - top, left, size);
  context.fillStyle = colours.panel;
  context.fillRect(0, 0, grid.width, AXIS);
  drawUnread(context, left, size);
  drawAxis(context, left, size);
  drawCell(context, top, left, size);
  document.body.dataset.drawn = String(Number(document.body.dataset.drawn || 0) + 1);
}

function drawRow(context, number, y, left, size) {
  const { flow } = grid.rows[number], colours = grid.colours, bins = binsOf(flow);
  if (grid.cell && grid.cell.row === number) {
    context.fillStyle = colours.soft;
    context.fillRect(0, y, grid.width, ROW);
  }
  const fails = board.fail.has(flow.number);
  context.fillStyle = fails ? colours.bad : colours.ink;
  if (fails) context.fillRect(0, y + 3, 3, ROW - 6);
  context.fillStyle = colours.ink;
  context.fillText(fitted(context, flow, left - 16), 8, y + ROW / 2 + 0.5);
  // On a narrow screen, several bins share a mark, which shows the worst of them.
  const group = Math.max(1, Math.ceil(3 / size)), wide = Math.max(1, group * size - 1);
  for (let bin = 0; bin < bins.length; bin += group) {
    let worst = 0;
    for (let at = bin; at < bin + group && at < bins.length; at += 1) if (bins[at] && (!worst || bins[at] < worst)) worst = bins[at];
    if (!worst) continue;
    const x = left + bin * size, outcome = OUTCOMES[worst - 1];
    context.fillStyle = colours[outcome.tone];
    if (outcome.tone === "bad") context.fillRect(x, y + 1, wide, ROW - 2);
    else if (outcome.tone === "ok") context.fillRect(x, y + 6, wide, ROW - 12);
    else if (outcome.tone === "run") {
      context.fillRect(x, y + 3, wide, ROW - 6);
      context.fillStyle = colours.panel;
      if (wide > 3) context.fillRect(x + 1, y + 4, wide - 2, ROW - 8);
    } else if (outcome.tone === "wait") context.fillRect(x, y + ROW - 8, wide, 5);
    else context.fillRect(x, y + 8, wide, 2);
  }
}

function fitted(context, flow, width) {
  if (flow.fitted && flow.fittedTo === width) return flow.fitted;
  let text = flow.name;
  if (context.measureText(text).width > width) {
    let low = 0, high = text.length;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (context.measureText(`${text.slice(0, middle)}…`).width > width) high = middle - 1;
      else low = middle;
    }
    text = `${text.slice(0, low)}…`;
  }
  Object.assign(flow, { fitted: text, fittedTo: width });
  return text;
}

// The newest runs are read first. After an outage, the newest are missing instead. What is not read yet must not look as if nothing had run.
function drawUnread(context, left, size) {
  const { share, until } = board.info.history || { share: 0 }, wide = (1 - share) * binCount() * size;
  if (share >= 1 || wide < 2) return;
  const x = until ? left + (serviceNow() - board.first * board.binMs) / board.binMs * size - wide : left;
  context.fillStyle = grid.colours.soft;
  context.fillRect(x, AXIS, wide, grid.height - AXIS);
  context.fillStyle = grid.colours.quiet;
  if (wide > 90) context.fillText("not read yet", x + wide / 2 - 34, AXIS + 14);
}

function drawAxis(context, left, size) {
  const hour = 3600000, perHour = hour / board.binMs * size;
  const step = [1, 2, 3, 6, 12, 24, 48, 168].find(one => one * perHour >= 52) || 336;
  const offset = 1000 * (board.info.offset_s || 0), from = board.first * board.binMs;
  context.fillStyle = grid.colours.quiet;
  for (let tick = Math.ceil((from + offset) / hour / step) * step * hour - offset; ; tick += step * hour) {
    const x = left + (tick - from) / board.binMs * size;
    if (x > grid.width - 12) break;
    context.fillStyle = grid.colours.line;
    context.fillRect(Math.round(x), AXIS - 6, 1, grid.height);
    context.fillStyle = grid.colours.quiet;
    const text = step >= 24 ? shifted(tick).slice(5, 10) : clock(tick);
    if (x + 34 < grid.width) context.fillText(text, x + 4, AXIS / 2);
  }
  const now = left + (serviceNow() - from) / board.binMs * size;
  context.fillStyle = grid.colours.run;
  if (now < grid.width) context.fillRect(Math.round(now), AXIS - 6, 1, grid.height);
}

function drawCell(context, top, left, size) {
  const cell = grid.cell;
  if (!cell || cell.row >= grid.rows.length) return;
  const y = AXIS + cell.row * ROW - top;
  if (y < AXIS - ROW) return;
  context.strokeStyle = grid.colours.ink;
  context.lineWidth = 1.5;
  context.strokeRect(left + cell.bin * size - 1.5, y + 0.5, Math.max(4, size) + 2, ROW - 1);
}

// The cell under the mouse or the arrow keys

function cellAt(event) {
  const box = byId("grid").getBoundingClientRect(), { left, size } = plot();
  const row = Math.floor((event.clientY - box.top - AXIS + byId("grid").scrollTop) / ROW);
  const bin = Math.floor((event.clientX - box.left - left) / size);
  if (row < 0 || row >= grid.rows.length || event.clientY - box.top < AXIS) return null;
  return { row, bin: Math.max(0, Math.min(binCount() - 1, bin)), label: event.clientX - box.left < left };
}

function cellText(cell) {
  const { flow } = grid.rows[cell.row], bin = board.first + cell.bin, from = bin * board.binMs;
  const parts = [...countsAt(flow, bin)].map(([name, size]) => `${count(size)} ${name}`);
  return `${flow.name}, ${shortTime(from)}–${clock(from + board.binMs)}: ${parts.join(", ") || "no run"}`;
}

function moveCell(right, down) {
  const cell = grid.cell || { row: 0, bin: binCount() - 1 }, box = byId("grid");
  if (!grid.rows.length) return;
  const started = grid.cell !== null;
  grid.cell = {
    row: Math.max(0, Math.min(grid.rows.length - 1, cell.row + (started ? down : 0))),
    bin: Math.max(0, Math.min(binCount() - 1, cell.bin + (started ? right : 0))),
  };
  const y = grid.cell.row * ROW;
  if (y < box.scrollTop) box.scrollTop = y;
  if (y + ROW + AXIS > box.scrollTop + box.clientHeight) box.scrollTop = y + ROW + AXIS - box.clientHeight;
  setText(byId("cell"), cellText(grid.cell));
  askToDraw();
}

function openCell() {
  if (!grid.cell || !grid.rows[grid.cell.row]) return;
  showRuns(grid.rows[grid.cell.row].flow, board.first + grid.cell.bin);
}

function wireGrid() {
  const box = byId("grid"), tip = byId("tip");
  const keys = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1], PageUp: [0, -20], PageDown: [0, 20], Home: [-1e4, 0], End: [1e4, 0] };
  box.addEventListener("scroll", askToDraw, { passive: true });
  box.addEventListener("keydown", event => {
    if (event.key === "Enter" || event.key === " ") openCell();
    else if (keys[event.key]) moveCell(...keys[event.key]);
    else return;
    event.preventDefault();
  });
  box.addEventListener("mousemove", event => {
    const cell = cellAt(event);
    grid.cell = cell;
    tip.hidden = !cell;
    if (cell) {
      setText(tip, cell.label ? flowText(grid.rows[cell.row].flow) : cellText(cell));
      const far = event.clientX > window.innerWidth - 360;
      tip.style.left = far ? "" : `${event.clientX + 14}px`;
      tip.style.right = far ? `${window.innerWidth - event.clientX + 14}px` : "";
      tip.style.top = `${Math.min(event.clientY + 16, window.innerHeight - 60)}px`;
    }
    askToDraw();
  });
  box.addEventListener("mouseleave", () => { tip.hidden = true; grid.cell = null; askToDraw(); });
  box.addEventListener("click", event => {
    grid.cell = cellAt(event);
    if (grid.cell && !grid.cell.label) openCell();
    else if (grid.cell) choose("flow", grid.rows[grid.cell.row].flow.name);
  });
  new ResizeObserver(askToDraw).observe(box);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { readColours(); askToDraw(); });
  readColours();
}

function flowText(flow) {
  const p95 = board.p95.get(flow.number), fail = board.fail.get(flow.number);
  const parts = [flow.id === null ? flow.name : `${flow.name} (${flow.id})`];
  if (p95 !== undefined) parts.push(`p95 ${duration(p95)}`);
  if (fail) parts.push(`failing since ${shortTime(fail[1])}`);
  return parts.join(", ");
}
