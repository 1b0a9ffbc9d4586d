"use strict";
// What the page shows is computed here, from columns of counts that were chosen by the filters.
const all = JSON.parse(document.getElementById("rows").textContent);
const rows = Object.keys(all.rows).map(Number).sort((a, b) => a - b);

// Texts

const number = (value) => value.toLocaleString("en");
const percent = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "–");
const formatDuration = (ms) => {
  const s = ms / 1000;
  if (s < 60) return `${s < 10 ? s.toFixed(1) : Math.round(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${String(Math.floor((s % 3600) / 60)).padStart(2, "0")} m`;
  return `${Math.floor(s / 86400)} d ${String(Math.floor((s % 86400) / 3600)).padStart(2, "0")} h`;
};
const edge = (s) => (s < 60 ? `${s} s` : s < 3600 ? `${s / 60} m` : s < 86400 ? `${s / 3600} h` : `${s / 86400} d`);
const dayRange = (days) => (days.length === 1 ? all.rows[days[0]] : `${all.rows[days[0]]} to ${all.rows[days.at(-1)]}`);
// Local times are stored as if they were UTC, because a browser shows times in UTC or in its own zone only.
const localTime = (ms) => new Date(ms).toISOString().slice(0, 19).replace("T", " ");
/** Return the row of a local time (ms). Row 0 begins on the day before 0001-01-01. */
const rowOf = (ms) => Math.floor((Math.floor(ms / 86400000) + 719163) / all.span);

// Totals

/** Return the totals of the counts that fit: `by.states` is a set, `by.source` a list of booleans, `by.row` a function. */
const totals = (by) => {
  const parts = () => new Array(all.edges.length + 1).fill(0);
  const empty = (name) => ({ name, instances: 0, finished: 0, failed: 0, ran: 0, ms: 0, longest: 0, parts: parts(), queued: 0, delays: parts() });
  const sum = { ...empty(), success: 0, running: 0, states: new Map(), rows: new Map(), hours: new Map(), flows: new Map(), owners: new Map() };
  const of = (map, key) => {
    if (!map.has(key)) map.set(key, empty(key));
    return map.get(key);
  };
  const cell = (map, key) => {
    if (!map.has(key)) map.set(key, { instances: 0, finished: 0, failed: 0, states: new Map() });
    return map.get(key);
  };
  const groups = (source) => [sum, of(sum.flows, all.sources[source][0]), of(sum.owners, all.sources[source][1])];
  const [row = [], hour = [], source = [], state = [], count = []] = all.counts;
  for (let i = 0; i < count.length; i++) {
    if (!by.states.has(state[i]) || !by.source[source[i]] || !by.row(row[i])) continue;
    const n = count[i], { name, failure, final } = all.states[state[i]];
    if (name === "SUCCESS") sum.success += n;
    if (name === "RUNNING") sum.running += n;
    sum.states.set(state[i], (sum.states.get(state[i]) || 0) + n);
    for (const one of [cell(sum.rows, row[i]), cell(sum.hours, row[i] * 24 + hour[i]), ...groups(source[i])]) {
      one.instances += n;
      if (final) one.finished += n;
      if (failure) one.failed += n;
      if (one.states && one !== sum) one.states.set(state[i], (one.states.get(state[i]) || 0) + n);
    }
  }
  const [lrow = [], lsource = [], lstate = [], part = [], runs = [], ms = [], longest = []] = all.lengths;
  for (let i = 0; i < runs.length; i++) {
    if (!by.states.has(lstate[i]) || !by.source[lsource[i]] || !by.row(lrow[i])) continue;
    for (const one of groups(lsource[i])) {
      one.ran += runs[i];
      one.ms += ms[i];
      one.parts[part[i]] += runs[i];
      one.longest = Math.max(one.longest, longest[i]);
    }
  }
  const [drow = [], dsource = [], dstate = [], dpart = [], delayed = []] = all.delays;
  for (let i = 0; i < delayed.length; i++) {
    if (!by.states.has(dstate[i]) || !by.source[dsource[i]] || !by.row(drow[i])) continue;
    for (const one of groups(dsource[i])) {
      one.queued += delayed[i];
      one.delays[dpart[i]] += delayed[i];
    }
  }
  return sum;
};

/** Return a quantile (ms) of times that are counted in the steps of `all.edges`, interpolated within a step. */
const quantile = (parts, share, longest = Infinity) => {
  const whole = parts.reduce((a, b) => a + b, 0);
  let left = share * whole;
  for (let i = 0; i < parts.length; i++) {
    if (parts[i] && left <= parts[i]) {
      const low = i ? all.edges[i - 1] * 1000 : 0, last = i < all.edges.length ? all.edges[i] * 1000 : 2 * low;
      return low + ((Math.min(last, Math.max(low, longest)) - low) * left) / parts[i];
    }
    left -= parts[i];
  }
  return null;
};

/** Return two lists of days to compare: those chosen and as many before them, or else the two halves of those chosen. */
const periods = (days) => {
  const before = rows.filter((row) => row < days[0]).slice(-days.length);
  if (before.length === days.length && days.length) return { now: days, before };
  const half = Math.ceil(days.length / 2);
  return { now: days.slice(half), before: days.slice(days.length % 2, half) };
};
