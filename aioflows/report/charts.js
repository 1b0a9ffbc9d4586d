// The charts. Plotly interprets some HTML tags in its texts (<b>, <a>, …), so names are escaped.
const COLOURS = {
  SUCCESS: "#009e73", FAIL: "#d55e00", INTERNAL_ERROR: "#8f3b00", TIMEOUT: "#f5955b", RUNNING: "#56b4e9", RERUN: "#0072b2",
  CANCEL: "#e69f00", SUSPEND: "#f0e442", SKIP: "#b8a400", INIT: "#8a9099", WAIT: "#a8aeb6", READY: "#c3c8ce",
};
const DAY = 86400000, LANES = 40, MOST = 10, CUT = 26, NAMED_GAPS = 8;
const colour = (state) => COLOURS[all.states[state].name] || "#cc79a7";
const short = (text) => ([...text].length > CUT ? `${[...text].slice(0, CUT - 1).join("")}…` : text);
const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
// The axis of a count has whole numbers only.
const countAxis = (most) => ({ rangemode: "tozero", tickformat: ",d", ...(most < 5 ? { dtick: 1, range: [0, Math.max(1, most) * 1.08] } : {}) });
const dark = () => matchMedia("(prefers-color-scheme: dark)").matches;

const makeLayout = () => {
  const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(name).trim();
  const axis = { gridcolor: of("--line"), linecolor: of("--line"), zeroline: false, automargin: true, fixedrange: true };
  return (more, x = {}, y = {}) => ({
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: of("--ink"), size: 12 }, height: 300,
    margin: { l: 8, r: 8, t: 8, b: 8 }, showlegend: false, dragmode: false, bargap: 0.15, xaxis: { ...axis, ...x }, yaxis: { ...axis, ...y }, ...more,
  });
};
const draw = (id, traces, layout) => Plotly.react(at(id), traces, layout, { responsive: true, displayModeBar: false });

/** Return the longest runs of days without instances: [first, last] each, as places in a list of days. */
const gaps = (sum, days) => {
  const found = [];
  days.forEach((row, i) => {
    if (sum.rows.has(row)) return;
    if (found.length && found.at(-1)[1] === i - 1) found.at(-1)[1] = i;
    else found.push([i, i]);
  });
  return found;
};
const gapWords = (sum, days) => {
  const found = gaps(sum, days), missing = found.reduce((n, [a, b]) => n + b - a + 1, 0);
  if (!missing || !sum.instances) return "";
  const named = [...found].sort((a, b) => b[1] - b[0] - (a[1] - a[0])).slice(0, NAMED_GAPS).sort((a, b) => a[0] - b[0]);
  const words = named.map(([a, b]) => dayRange(days.slice(a, b + 1))).join(", ");
  return `No instances on ${number(missing)} of ${number(days.length)} ${all.span > 1 ? `groups of ${all.span} days` : "days"}: ${words}${found.length > named.length ? ", and more" : ""}.`;
};
/** Return shapes that shade days without instances; `x` makes the two ends of a gap out of its places. */
const gapShapes = (sum, days, x) =>
  gaps(sum, days).map(([a, b]) => ({
    type: "rect", xref: "x", yref: "paper", y0: 0, y1: 1, layer: "below", line: { width: 0 }, fillcolor: dark() ? "rgba(255,255,255,.09)" : "rgba(0,0,0,.08)", ...x(a, b),
  }));
const gapLabels = (sum, days, x) =>
  gaps(sum, days).filter(([a, b]) => b - a + 1 >= Math.max(2, days.length / 12)).map(([a, b]) => ({
    xref: "x", yref: "paper", y: 0.5, showarrow: false, textangle: -90, text: "no instances", font: { size: 11 }, x: x(a, b),
  }));

const drawHeat = (sum, by, layout) => {
  const shown = rows.filter(by.row), measure = at("measure").value;
  const value = (one) => (!one ? null : measure === "instances" ? one.instances : measure === "failures" ? one.failed : one.finished ? (100 * one.failed) / one.finished : null);
  const hours = Array.from({ length: 24 }, (_, hour) => hour);
  const cells = hours.map((hour) => shown.map((row) => sum.hours.get(row * 24 + hour)));
  const z = cells.map((line) => line.map(value)), found = z.flat().filter((one) => one > 0).sort((a, b) => a - b);
  // The colours end at the 99th percentile, so that one extreme hour does not make all others look alike.
  const most = Math.max(1, found[Math.floor(0.99 * found.length)] || 0), clipped = measure !== "share" && found.at(-1) > most;
  const blank = measure === "share" ? "Hours without finished instances are blank." : "Hours without instances are blank.";
  at("heat-note").textContent = [gapWords(sum, shown), blank, clipped ? `The darkest or brightest colour means ${number(most)} or more, up to ${number(found.at(-1))}.` : ""].filter(Boolean).join(" ");
  // Low values are close to the background and high values contrast with it, in the light and the dark scheme.
  const blue = measure === "instances", steps = blue ? ["#7cb9e8", "#0072b2"] : ["#f2a65e", "#d55e00"];
  const scale = dark() ? ["#343c45", ...steps.toReversed(), blue ? "#d9efff" : "#ffe3c7"] : ["#e1e7ed", ...steps, blue ? "#00293f" : "#662500"];
  const far = measure === "share" ? 100 : most;
  return draw("heat", [{
    type: "heatmap", x: shown.map((row) => all.rows[row]), y: hours, z,
    text: cells.map((line) => line.map((one) => (one ? `${number(one.instances)} instances, ${number(one.failed)} of ${number(one.finished)} finished ones failed` : ""))),
    hovertemplate: "%{x}, hour %{y}<br>%{text}<extra></extra>", colorscale: scale.map((one, i) => [i / 3, one]), zmin: 0, zmax: far,
    xgap: shown.length > 60 ? 0 : 1, ygap: 1, hoverongaps: false, colorbar: { thickness: 10, outlinewidth: 0, ticksuffix: measure === "share" ? " %" : "", tickformat: ",d", ...(far < 5 ? { dtick: 1 } : {}) },
  }], layout({ height: 400, shapes: gapShapes(sum, shown, (a, b) => ({ x0: a - 0.5, x1: b + 0.5 })), annotations: gapLabels(sum, shown, (a, b) => (a + b) / 2) },
    { type: "category", showgrid: false, nticks: 12 }, { title: { text: "hour of the day" }, dtick: 3, autorange: "reversed", showgrid: false }));
};

const drawTime = (sum, by, layout) => {
  const shown = rows.filter(by.row), failing = all.states.map((state, i) => [state, i]).filter(([state]) => state.failure);
  // One or two days are drawn by the hour.
  const few = all.span === 1 && shown.length <= 2, cells = few ? sum.hours : sum.rows, step = few ? DAY / 24 : DAY * all.span;
  const keys = few ? shown.flatMap((row) => Array.from({ length: 24 }, (_, hour) => row * 24 + hour)) : shown;
  const begin = (key) => (few ? Date.parse(all.rows[Math.floor(key / 24)]) + (key % 24) * step : Date.parse(all.rows[key]));
  const iso = (ms) => new Date(ms).toISOString(), most = Math.max(0, ...keys.map((key) => cells.get(key)?.failed || 0));
  const named = (key) => (few ? `${all.rows[Math.floor(key / 24)]} ${String(key % 24).padStart(2, "0")}:00` : all.rows[key]);
  const axis = shown.length ? { range: [iso(begin(keys[0])), iso(begin(keys.at(-1)) + step)] } : {};
  const ends = (a, b) => [begin(few ? shown[a] * 24 : shown[a]), begin(few ? shown[b] * 24 + 23 : shown[b]) + step];
  return draw("time", failing.map(([state, i]) => ({
    type: "bar", name: state.name, x: keys.map((key) => iso(begin(key))), y: keys.map((key) => cells.get(key)?.states.get(i) || 0), marker: { color: colour(i) },
    xperiod: step, xperiodalignment: "middle", customdata: keys.map(named), hovertemplate: `%{customdata}<br>%{y} ${state.name}<extra></extra>`,
  })), layout({
    barmode: "stack", bargap: 0.1, showlegend: true, legend: { orientation: "h", y: 1.15 },
    shapes: gapShapes(sum, shown, (a, b) => ({ x0: iso(ends(a, b)[0]), x1: iso(ends(a, b)[1]) })), annotations: gapLabels(sum, shown, (a, b) => iso((ends(a, b)[0] + ends(a, b)[1]) / 2)),
  }, { type: "date", ...axis }, countAxis(most)));
};

const drawSteps = (id, parts, noun, fill, layout) => {
  const first = Math.max(0, parts.findIndex((n) => n > 0)), last = parts.findLastIndex((n) => n > 0);
  const names = parts.map((_, i) => (i ? (i < all.edges.length ? `${edge(all.edges[i - 1])} – ${edge(all.edges[i])}` : `≥ ${edge(all.edges[i - 1])}`) : `< ${edge(all.edges[0])}`));
  return draw(id, [{
    type: "bar", x: names.slice(first, last + 1), y: parts.slice(first, last + 1), marker: { color: fill }, hovertemplate: `%{x}<br>%{y} ${noun}<extra></extra>`,
  }], layout({}, { type: "category", tickangle: -45 }, countAxis(Math.max(0, ...parts))));
};

const drawSlow = (sum, layout) => {
  const flows = [...sum.flows.values()].filter((flow) => flow.ran).sort((a, b) => b.ms / b.ran - a.ms / a.ran || b.ran - a.ran).slice(0, MOST);
  return draw("slow", [{
    type: "bar", orientation: "h", x: flows.map((flow) => flow.ms / flow.ran / 1000), y: flows.map((_, i) => i), marker: { color: "#56b4e9" },
    text: flows.map((flow) => formatDuration(flow.ms / flow.ran)), textposition: "auto",
    hovertext: flows.map((flow) => plain(`${all.names[flow.name]}: ${number(flow.ran)} runs, on average ${formatDuration(flow.ms / flow.ran)}, at most ${formatDuration(flow.longest)}`)),
    hovertemplate: "%{hovertext}<extra></extra>",
  }], layout({}, { title: { text: "seconds" }, rangemode: "tozero" }, { autorange: "reversed", tickvals: flows.map((_, i) => i), ticktext: flows.map((flow) => plain(short(all.names[flow.name]))), showgrid: false }));
};

const drawRuns = (by, layout) => {
  const day = all.days[Number(at("day").value)], lanes = new Map();
  let shown = 0, hidden = 0;
  const fits = day ? day.runs.filter((run) => by.states.has(run[3]) && by.source[run[2]]) : [];
  for (const run of fits) {
    const name = all.sources[run[1]][0];
    lanes.set(name, (lanes.get(name) || 0) + 1);
  }
  const kept = [...lanes].sort((a, b) => b[1] - a[1] || a[0] - b[0]).slice(0, LANES).map(([name]) => name);
  kept.sort((a, b) => all.names[a].localeCompare(all.names[b]));
  const lane = new Map(kept.map((name, i) => [name, i])), traces = [];
  all.states.forEach((state, i) => {
    const mine = fits.filter((run) => run[3] === i && lane.has(all.sources[run[1]][0]));
    shown += mine.length;
    if (!mine.length) return;
    const words = (run) => plain(`${all.names[all.sources[run[1]][0]]}, ${run[0]}: ${state.name}${run[6] === null ? "" : `, ${formatDuration(run[6])}`}`);
    const y = (run) => lane.get(all.sources[run[1]][0]), begin = (run) => new Date(run[5] === null ? run[4] : run[5]).toISOString();
    const base = { name: state.name, legendgroup: state.name, hovertemplate: "%{hovertext}<br>%{x}<extra></extra>" };
    const long = mine.filter((run) => run[6] > 0);
    // Each run is a line from start to end, with a mark at the start, so that the shortest run is visible too.
    traces.push({
      ...base, type: "scatter", mode: "lines", line: { color: colour(i), width: 7 }, showlegend: false, hoverinfo: "skip", hovertemplate: undefined,
      x: long.flatMap((run) => [begin(run), new Date(run[5] + run[6]).toISOString(), null]), y: long.flatMap((run) => [y(run), y(run), null]),
    });
    traces.push({
      ...base, type: "scatter", mode: "markers", x: mine.map(begin), y: mine.map(y), hovertext: mine.map(words),
      marker: { color: colour(i), size: 8, symbol: state.failure ? "x" : state.name === "SUCCESS" ? "circle" : state.name === "RUNNING" ? "triangle-right" : "diamond-open" },
    });
  });
  hidden = fits.length - shown;
  const words = [day ? `${number(shown)} runs, in the zone ${all.zone}. A run that has not started is drawn at its trigger time. The filters “From” and “To” do not apply to this chart.` : "There are no runs."];
  if (hidden) words.push(`${number(hidden)} runs of ${number(lanes.size - kept.length)} flows are not drawn; choose a flow to see them.`);
  if (day && day.left_out) words.push(`${number(day.left_out)} later runs of this day were left out, to keep this page small.`);
  at("runs-note").textContent = words.join(" ");
  at("runs").dataset.runs = shown;
  const layoutX = { type: "date" };
  if (day) layoutX.range = [`${day.day} 00:00`, new Date(Date.parse(day.day) + DAY).toISOString()];
  return draw("runs", traces, layout({ height: 130 + 22 * Math.max(3, kept.length), showlegend: true, legend: { orientation: "h", y: 1, yanchor: "bottom" }, hovermode: "closest" }, layoutX, { range: [Math.max(2, kept.length - 1) + 0.6, -0.6], tickvals: kept.map((_, i) => i), ticktext: kept.map((name) => plain(short(all.names[name]))) }));
};
