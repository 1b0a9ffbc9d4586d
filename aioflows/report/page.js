"use strict";
// Every number and every chart is computed from the same columns with the same filters. Names are shown as text, never as HTML.
(() => {
  const all = JSON.parse(document.getElementById("rows").textContent);
  const at = (id) => document.getElementById(id);
  const COLOURS = {
    SUCCESS: "#009e73", FAIL: "#d55e00", INTERNAL_ERROR: "#8f3b00", TIMEOUT: "#f5955b", RUNNING: "#56b4e9", RERUN: "#0072b2",
    CANCEL: "#e69f00", SUSPEND: "#f0e442", SKIP: "#b8a400", INIT: "#8a9099", WAIT: "#a8aeb6", READY: "#c3c8ce",
  };
  const colour = (state) => COLOURS[all.states[state].name] || "#cc79a7";
  const LANES = 40, MOST = 10, LISTED = 30, CUT = 26;
  const rows = Object.keys(all.rows).map(Number).sort((a, b) => a - b);
  const number = (value) => value.toLocaleString("en");
  const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
  const short = (text) => ([...text].length > CUT ? `${[...text].slice(0, CUT - 1).join("")}…` : text);
  // Plotly interprets some HTML tags in its texts (<b>, <a>, …), so names are escaped.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const formatDuration = (ms) => {
    const s = ms / 1000;
    if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
    if (s < 3600) return `${Math.floor(s / 60)} m ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} m`;
    return `${Math.floor(s / 86400)} d ${String(Math.floor((s % 86400) / 3600)).padStart(2, "0")} h`;
  };
  const edge = (s) => (s < 60 ? `${s} s` : s < 3600 ? `${s / 60} m` : s < 86400 ? `${s / 3600} h` : `${s / 86400} d`);
  const make = (tag, text, parent) => {
    const one = document.createElement(tag);
    if (text !== undefined) one.textContent = text;
    if (parent) parent.append(one);
    return one;
  };

  // Filters

  const choices = (select, words, first) => {
    if (first) make("option", first, select).value = "";
    for (const [value, text] of words) make("option", text, select).value = value;
  };
  const byText = (a, b) => a[1].localeCompare(b[1]);
  const known = new Set((all.counts[2] || []).map((source) => all.sources[source][0]));
  const owned = new Set((all.counts[2] || []).map((source) => all.sources[source][1]));
  choices(at("flow"), all.names.map((name, i) => [i, name]).filter(([i]) => known.has(i)).sort(byText), "every flow");
  choices(at("owner"), all.owners.map((name, i) => [i, name || "(folded flows)"]).filter(([i]) => owned.has(i)).sort(byText), "every owner");
  choices(at("from"), rows.map((row) => [row, all.rows[row]]), "the beginning");
  choices(at("to"), rows.map((row) => [row, all.rows[row]]), "the end");
  choices(at("day"), all.days.map((one, i) => [i, one.day]));
  if (all.days.length) {
    const newest = [...at("day").options].pop();
    newest.defaultSelected = newest.selected = true;
  }
  all.states.forEach((state, i) => {
    const label = make("label", undefined, at("statuses"));
    const box = make("input", undefined, label);
    Object.assign(box, { type: "checkbox", defaultChecked: true, value: i });
    make("i", undefined, label).style.background = colour(i);
    make("span", state.name, label);
  });
  at("range").textContent = `${number(all.instances)} instances triggered from ${all.from} to ${all.to}, in the zone ${all.zone}`;
  at("origin").textContent =
    `Made ${all.made} (${all.zone}) from a scan with ${number(all.requests)} requests: ${all.verdict}. Zone of the service: ${all.service_zone}.`;
  const note = (text) => make("li", text, at("notes"));
  if (all.undated) note(`${number(all.undated)} instances have no trigger time. They are not in the figures below.`);
  if (all.folded) note(`The ${number(all.folded)} flows with the fewest instances are combined as “other flows”, to keep this page small.`);
  if (all.span > 1) note(`Days are combined into groups of ${all.span}, to keep this page small. Each group has the name of its first day.`);

  const chosen = () => {
    const value = (id) => (at(id).value === "" ? null : Number(at(id).value));
    const states = new Set([...document.querySelectorAll("#statuses input:checked")].map((box) => Number(box.value)));
    const [flow, owner, from, to] = ["flow", "owner", "from", "to"].map(value);
    const source = all.sources.map(([name, who]) => (flow === null || name === flow) && (owner === null || who === owner));
    const row = (one) => (from === null || one >= from) && (to === null || one <= to);
    return { states, source, row };
  };

  // Totals

  const totals = (by) => {
    const sum = { instances: 0, failed: 0, success: 0, running: 0, states: new Map(), rows: new Map(), hours: new Map(), flows: new Map(), parts: new Array(all.edges.length + 1).fill(0), ran: 0, ms: 0, longest: 0 };
    const flowOf = (source) => {
      const name = all.sources[source][0];
      if (!sum.flows.has(name)) sum.flows.set(name, { name, instances: 0, failed: 0, ran: 0, ms: 0, longest: 0 });
      return sum.flows.get(name);
    };
    const cell = (map, key) => {
      if (!map.has(key)) map.set(key, { instances: 0, failed: 0, states: new Map() });
      return map.get(key);
    };
    const [row = [], hour = [], source = [], state = [], count = []] = all.counts;
    for (let i = 0; i < count.length; i++) {
      if (!by.states.has(state[i]) || !by.source[source[i]] || !by.row(row[i])) continue;
      const n = count[i], { name, failure } = all.states[state[i]];
      sum.instances += n;
      if (failure) sum.failed += n;
      if (name === "SUCCESS") sum.success += n;
      if (name === "RUNNING") sum.running += n;
      sum.states.set(state[i], (sum.states.get(state[i]) || 0) + n);
      for (const one of [cell(sum.rows, row[i]), cell(sum.hours, row[i] * 24 + hour[i]), flowOf(source[i])]) {
        one.instances += n;
        if (failure) one.failed += n;
        if (one.states) one.states.set(state[i], (one.states.get(state[i]) || 0) + n);
      }
    }
    const [lrow = [], lsource = [], lstate = [], part = [], runs = [], ms = [], longest = []] = all.lengths;
    for (let i = 0; i < runs.length; i++) {
      if (!by.states.has(lstate[i]) || !by.source[lsource[i]] || !by.row(lrow[i])) continue;
      sum.parts[part[i]] += runs[i];
      for (const one of [sum, flowOf(lsource[i])]) {
        one.ran += runs[i];
        one.ms += ms[i];
        one.longest = Math.max(one.longest, longest[i]);
      }
    }
    return sum;
  };
  const quantile = (sum, share) => {
    let left = share * sum.ran;
    for (let i = 0; i < sum.parts.length; i++) {
      if (sum.parts[i] && left <= sum.parts[i]) {
        const low = i ? all.edges[i - 1] * 1000 : 0, high = Math.min(i < all.edges.length ? all.edges[i] * 1000 : Infinity, Math.max(low, sum.longest));
        return low + ((high - low) * left) / sum.parts[i];
      }
      left -= sum.parts[i];
    }
    return 0;
  };

  // Charts and tables

  const makeLayout = () => {
    const style = getComputedStyle(document.documentElement), of = (name) => style.getPropertyValue(name).trim();
    const axis = { gridcolor: of("--line"), linecolor: of("--line"), zeroline: false, automargin: true, fixedrange: true };
    return (more, x = {}, y = {}) => ({
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: of("--ink"), size: 12 }, height: 300,
      margin: { l: 8, r: 8, t: 8, b: 8 }, showlegend: false, dragmode: false, bargap: 0.15, xaxis: { ...axis, ...x }, yaxis: { ...axis, ...y }, ...more,
    });
  };
  const draw = (id, traces, layout) => Plotly.react(at(id), traces, layout, { responsive: true, displayModeBar: false });

  const figures = (sum) => {
    const ended = sum.success + sum.failed;
    at("figures").replaceChildren();
    for (const [id, name, text] of [
      ["instances", "Instances", number(sum.instances)], ["success", "Success rate", percent(sum.success, ended)],
      ["failed", "Failures", number(sum.failed)], ["running", "Running", number(sum.running)], ["flows", "Flows", sum.flows.has(all.sources[0][0]) ? `${number(sum.flows.size - 1)} and others` : number(sum.flows.size)],
    ]) {
      const one = make("div", undefined, at("figures"));
      make("dt", name, one);
      make("dd", text, one).id = `figure-${id}`;
    }
    at("nothing").hidden = sum.instances > 0;
    at("quantiles").textContent = sum.ran
      ? `${number(sum.ran)} runs ended; half took less than about ${formatDuration(quantile(sum, 0.5))}, 95 % less than about ${formatDuration(quantile(sum, 0.95))}; the longest took ${formatDuration(sum.longest)}.`
      : "No run has a start and an end.";
  };

  const heat = (sum, layout) => {
    const shown = rows.filter((row) => sum.rows.has(row)), measure = at("measure").value;
    const value = (one) => (!one ? null : measure === "instances" ? one.instances : measure === "failures" ? one.failed : (100 * one.failed) / one.instances);
    const hours = Array.from({ length: 24 }, (_, hour) => hour);
    const cells = hours.map((hour) => shown.map((row) => sum.hours.get(row * 24 + hour)));
    const z = cells.map((line) => line.map(value)), found = z.flat().filter((one) => one > 0).sort((a, b) => a - b);
    // The colours end at the 99th percentile, so that one extreme hour does not make all others look alike.
    const most = Math.max(1, found[Math.floor(0.99 * found.length)] || 0), clipped = measure !== "share" && found.at(-1) > most;
    at("heat-note").textContent = `Hours without instances are blank.${clipped ? ` The darkest or brightest colour means ${number(most)} or more, up to ${number(found.at(-1))}.` : ""}`;
    // Low values are close to the background and high values contrast with it, in the light and the dark scheme.
    const dark = matchMedia("(prefers-color-scheme: dark)").matches, blue = measure === "instances";
    const steps = blue ? ["#7cb9e8", "#0072b2"] : ["#f2a65e", "#d55e00"];
    const scale = dark ? ["#343c45", ...steps.toReversed(), blue ? "#d9efff" : "#ffe3c7"] : ["#e1e7ed", ...steps, blue ? "#00293f" : "#662500"];
    return draw("heat", [{
      type: "heatmap", x: shown.map((row) => all.rows[row]), y: hours, z,
      text: cells.map((line) => line.map((one) => (one ? `${number(one.instances)} instances, ${number(one.failed)} failed` : ""))),
      hovertemplate: "%{x}, hour %{y}<br>%{text}<extra></extra>", colorscale: scale.map((one, i) => [i / 3, one]), zmin: 0, zmax: measure === "share" ? 100 : most,
      xgap: shown.length > 60 ? 0 : 1, ygap: 1, hoverongaps: false, colorbar: { thickness: 10, outlinewidth: 0, ticksuffix: measure === "share" ? " %" : "" },
    }], layout({ height: 400 }, { type: "category", showgrid: false, nticks: 12 }, { title: { text: "hour of the day" }, dtick: 3, autorange: "reversed", showgrid: false }));
  };

  const time = (sum, layout) => {
    // One or two days are drawn by the hour.
    const few = all.span === 1 && sum.rows.size <= 2, cells = few ? sum.hours : sum.rows;
    const keys = [...cells.keys()].sort((a, b) => a - b);
    const named = (key) => (few ? `${all.rows[Math.floor(key / 24)]} ${String(key % 24).padStart(2, "0")}:00` : all.rows[key]);
    const failing = all.states.map((state, i) => [state, i]).filter(([state]) => state.failure);
    return draw("time", failing.map(([state, i]) => ({
      type: "bar", name: state.name, x: keys.map(named), y: keys.map((key) => cells.get(key).states.get(i) || 0), marker: { color: colour(i) },
      hovertemplate: `%{x}<br>%{y} ${state.name}<extra></extra>`,
    })), layout({ barmode: "stack", showlegend: true, legend: { orientation: "h", y: 1.15 } }, { type: "date" }, { rangemode: "tozero", tickformat: ",d" }));
  };

  const lengths = (sum, layout) => {
    const first = Math.max(0, sum.parts.findIndex((n) => n > 0)), last = sum.parts.findLastIndex((n) => n > 0);
    const names = sum.parts.map((_, i) => (i ? (i < all.edges.length ? `${edge(all.edges[i - 1])} – ${edge(all.edges[i])}` : `≥ ${edge(all.edges[i - 1])}`) : `< ${edge(all.edges[0])}`));
    return draw("length", [{
      type: "bar", x: names.slice(first, last + 1), y: sum.parts.slice(first, last + 1), marker: { color: "#0072b2" }, hovertemplate: "%{x}<br>%{y} runs<extra></extra>",
    }], layout({}, { type: "category", tickangle: -45 }, { rangemode: "tozero" }));
  };

  const slow = (sum, layout) => {
    const flows = [...sum.flows.values()].filter((flow) => flow.ran).sort((a, b) => b.ms / b.ran - a.ms / a.ran || b.ran - a.ran).slice(0, MOST);
    return draw("slow", [{
      type: "bar", orientation: "h", x: flows.map((flow) => flow.ms / flow.ran / 1000), y: flows.map((_, i) => i), marker: { color: "#56b4e9" },
      text: flows.map((flow) => formatDuration(flow.ms / flow.ran)), textposition: "auto",
      hovertext: flows.map((flow) => plain(`${all.names[flow.name]}: ${number(flow.ran)} runs, on average ${formatDuration(flow.ms / flow.ran)}, at most ${formatDuration(flow.longest)}`)),
      hovertemplate: "%{hovertext}<extra></extra>",
    }], layout({}, { title: { text: "seconds" }, rangemode: "tozero" }, { autorange: "reversed", tickvals: flows.map((_, i) => i), ticktext: flows.map((flow) => plain(short(all.names[flow.name]))), showgrid: false }));
  };

  const runs = (by, layout) => {
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
    if (day) layoutX.range = [`${day.day} 00:00`, new Date(Date.parse(day.day) + 86400000).toISOString()];
    return draw("runs", traces, layout({ height: 130 + 22 * Math.max(3, kept.length), showlegend: true, legend: { orientation: "h", y: 1, yanchor: "bottom" }, hovermode: "closest" }, layoutX, { range: [Math.max(2, kept.length - 1) + 0.6, -0.6], tickvals: kept.map((_, i) => i), ticktext: kept.map((name) => plain(short(all.names[name]))) }));
  };

  const table = (id, head, lines) => {
    const one = at(id);
    one.replaceChildren(one.caption);
    const top = make("tr", undefined, make("thead", undefined, one)), body = make("tbody", undefined, one);
    for (const name of head) make("th", name, top).scope = "col";
    for (const [first, ...cells] of lines) {
      const line = make("tr", undefined, body);
      make("th", first, line).scope = "row";
      for (const cell of cells) make("td", cell, line);
    }
  };
  const tables = (sum) => {
    table("by-status", ["status", "instances", "share"], [...sum.states].sort((a, b) => a[0] - b[0]).map(([state, n]) => [all.states[state].name, number(n), percent(n, sum.instances)]));
    const days = [...sum.rows].sort((a, b) => a[0] - b[0]);
    table("by-day", ["day", "instances", "failures", "share"], days.slice(-LISTED).map(([row, one]) => [all.rows[row], number(one.instances), number(one.failed), percent(one.failed, one.instances)]));
    at("by-day").caption.textContent = days.length > LISTED ? `By day, the last ${LISTED} of ${number(days.length)}` : "By day";
    const flows = [...sum.flows.values()].sort((a, b) => b.failed - a.failed || b.instances - a.instances);
    table("by-flow", ["flow", "instances", "failures", "share", "mean", "longest"], flows.slice(0, LISTED).map((flow) => [
      all.names[flow.name], number(flow.instances), number(flow.failed), percent(flow.failed, flow.instances), flow.ran ? formatDuration(flow.ms / flow.ran) : "–", flow.ran ? formatDuration(flow.longest) : "–",
    ]));
    at("by-flow").caption.textContent = flows.length > LISTED ? `By flow, most failures first, ${LISTED} of ${number(flows.length)}` : "By flow, most failures first";
  };

  const scheduled = (found) => {
    at("scheduled").hidden = !found;
    for (const id of ["missing-runs", "stopped-flows"]) at(id).hidden = true;
    if (!found) return;
    if (found.left_out) {
      at("scheduled-counts").textContent = `Scheduled runs were not counted: ${found.left_out}.`;
      return;
    }
    at("scheduled-counts").textContent =
      `${number(found.expected)} expected, ${number(found.missing)} missing, ${number(found.doubled)} twice, ${number(found.late)} late; ${number(found.stopped)} flows stopped.`;
    at("scheduled-note").textContent = `The filters do not apply to this panel.${found.unjudged ? ` Not judged: ${found.unjudged}.` : ""}`;
    const list = (id, what, all, head, lines) => {
      at(id).hidden = !lines.length;
      table(id, head, lines);
      at(id).caption.textContent = all > lines.length ? `${what}, the first ${lines.length} of ${number(all)}` : what;
    };
    list("missing-runs", "Missing runs", found.missing, ["flow", "id", "scheduled for"], found.first_missing);
    list("stopped-flows", "Flows that stopped", found.stopped, ["flow", "id", "last instance", "scheduled since"], found.first_stopped.map(([name, id, last, n]) => [name, id, last, number(n)]));
  };
  scheduled(all.scheduled);

  let turn = 0;
  const show = async () => {
    const mine = ++turn, by = chosen(), sum = totals(by), layout = makeLayout();
    document.body.dataset.drawn = "";
    figures(sum);
    tables(sum);
    await Promise.all([heat(sum, layout), time(sum, layout), lengths(sum, layout), slow(sum, layout), runs(by, layout)]);
    if (mine === turn) document.body.dataset.drawn = String(turn);
  };
  document.body.addEventListener("change", show);
  at("filters").addEventListener("submit", (event) => event.preventDefault());
  at("clear-filters").addEventListener("click", () => {
    at("filters").reset();
    show();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", show);
  show();
})();
