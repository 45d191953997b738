"use strict";
// The plots of what is chosen: those of a report, but of any filter. Only functions and sizes are
// here; `data`, `state` and the rows are those of page.js.

const PLOT = { width: 390, height: 238, left: 76, right: 374, top: 8, bottom: 196 };
const CEILING = 1e17; // errors above are drawn here: 2^53 is what a result has to lose in fp64
const LEAST = 1e-3; // errors below, and 0, are drawn here where errors meet their bounds

const SVG = new DOMParser().parseFromString("<svg></svg>", "text/html").querySelector("svg").namespaceURI;

function svg(name, attributes = {}, content = []) {
  const element = document.createElementNS(SVG, name);
  element.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// --- Axes ---------------------------------------------------------------------------------------

function axis(values, start, end, { log = false, margin = 0.05, low, high }) {
  const to = log ? Math.log10 : (value) => value;
  const found = values.filter((value) => value !== null && (!log || value > 0)).map(to);
  const least = low === undefined ? Math.min(...found) : to(low);
  const most = high === undefined ? Math.max(...found) : to(high);
  const space = (most - least || 1) * margin;
  const [first, last] = [least - (low === undefined ? space : 0), most + (high === undefined ? space : 0)];
  const place = (value) => start + ((to(value) - first) / (last - first)) * (end - start);
  return { place, ticks: log ? powers(first, last) : steps(first, last) };
}

function powers(first, last) {
  const step = Math.max(1, Math.ceil((last - first) / 6));
  const found = [];
  for (let power = Math.ceil(first); power <= last; power += 1) if (power % step === 0) found.push(10 ** power);
  return found.length > 2 ? found : between(first, last);
}

function between(first, last) { // less than three decades
  const found = [];
  for (let power = Math.floor(first); power <= last; power += 1) found.push(...[1, 2, 5].map((digit) => digit * 10 ** power));
  const inside = found.filter((tick) => 10 ** first <= tick && tick <= 10 ** last);
  return inside.length > 1 ? inside : steps(10 ** first, 10 ** last);
}

function steps(first, last) {
  const rough = 10 ** Math.floor(Math.log10((last - first) / 3));
  const step = [1, 2, 5, 10].map((digit) => digit * rough).find((size) => (last - first) / size <= 6);
  const found = [];
  for (let tick = Math.ceil(first / step) * step; tick <= last; tick += step) found.push(tick);
  return found;
}

function frame(x, y, kind) {
  const grid = [
    ...x.ticks.map((tick) => svg("path", { d: `M${x.place(tick)} ${PLOT.top}V${PLOT.bottom}` })),
    ...y.ticks.map((tick) => svg("path", { d: `M${PLOT.left} ${y.place(tick)}H${PLOT.right}` })),
  ];
  const words = [
    ...x.ticks.map((tick) => svg("text", { x: x.place(tick), y: PLOT.bottom + 14, "text-anchor": "middle" }, figure(tick))),
    ...y.ticks.map((tick) => svg("text", { x: PLOT.left - 6, y: y.place(tick) + 3.5, "text-anchor": "end" }, figure(tick))),
    svg("text", { x: (PLOT.left + PLOT.right) / 2, y: PLOT.height - 8, "text-anchor": "middle" }, kind.x),
    ...kind.y.split("\n").map((line, place) => svg("text", { transform: `translate(${14 + 13 * place} ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)`, "text-anchor": "middle" }, line)),
  ];
  return [
    svg("g", { class: "grid" }, grid),
    svg("path", { class: "edge", d: `M${PLOT.left} ${PLOT.top}V${PLOT.bottom}H${PLOT.right}` }),
    svg("g", { class: "words" }, words),
  ];
}

// --- Marks --------------------------------------------------------------------------------------

const ink = (place) => `var(--c${data.colours[place]})`;
const told = (place) => svg("title", {}, data.subjects[place]);

function line(place, points, x, y, more = {}) {
  let pen = "M";
  const path = points.map(([across, up]) => {
    const step = up === null || up <= 0 ? "" : `${pen}${x.place(across).toFixed(1)} ${y.place(up).toFixed(1)}`;
    pen = step ? "L" : "M";
    return step;
  });
  return svg("path", { d: path.join(""), fill: "none", stroke: ink(place), "stroke-width": 1.6, ...more }, told(place));
}

function dot(place, across, up, radius, hollow = false) {
  const how = { fill: hollow ? "var(--paper)" : ink(place), stroke: ink(place) };
  return svg("circle", { cx: across.toFixed(1), cy: up.toFixed(1), r: radius, ...how }, told(place));
}

/** Marks beyond the axes are cut off. */
function within(marks) {
  const box = { x: PLOT.left, y: PLOT.top, width: PLOT.right - PLOT.left, height: PLOT.bottom - PLOT.top };
  return svg("svg", { ...box, viewBox: `${box.x} ${box.y} ${box.width} ${box.height}`, overflow: "hidden" }, marks);
}

const dotted = (d) => svg("path", { class: "dotted", d });

// --- Kinds: rows to marks, or nothing where there are none -----------------------------------------

const bySubject = (found) => Map.groupBy ? Map.groupBy(found, (row) => row.place) : found.reduce((map, row) => map.set(row.place, [...(map.get(row.place) ?? []), row]), new Map());
const largest = (found) => found.reduce((most, row) => Math.max(most, row.max ?? 0), 0) || null;
const inOrder = (map) => [...map].sort(([a], [b]) => a - b);

function errorAgainstTime(found, speeds, kind) {
  const times = new Map([...bySubject(speeds.filter((row) => row.columns === data.headline.columns))].map(([place, rows]) => [place, median(rows.map((row) => row.time))]));
  const points = inOrder(bySubject(found)).filter(([place]) => times.get(place)).map(([place, rows]) => ({
    place, time: times.get(place), failed: rows.some((row) => row.failed),
    usual: capped(largest(ordinary(rows))), any: capped(largest(rows)),
  }));
  const errors = points.flatMap((point) => [point.usual, point.any]).filter(Boolean);
  if (!points.length || !errors.length) return null;
  const x = axis(points.map((point) => point.time), PLOT.left, PLOT.right, { log: true, margin: 0.12 });
  const y = axis([...errors, 0.5], PLOT.bottom, PLOT.top, { log: true, margin: 0.12 });
  const marks = points.flatMap(({ place, time, usual, any, failed }) => {
    const [across, size] = [x.place(time), 5.5 - (3 * place) / data.subjects.length];
    return [
      usual && any ? line(place, [[time, usual], [time, any]], x, y, { "stroke-width": 0.9 }) : "",
      any ? dot(place, across, y.place(any), Math.max(size - 1, 1.5), true) : "",
      usual ? dot(place, across, y.place(usual), size) : "",
      failed ? svg("path", { d: `M${across - 3} ${PLOT.top}l6 6m0-6l-6 6`, stroke: ink(place), "stroke-width": 2 }, told(place)) : "",
    ];
  });
  return [...frame(x, y, kind), dotted(`M${PLOT.left} ${y.place(0.5)}H${PLOT.right}`), ...marks];
}

const capped = (error) => (error === null ? null : Math.min(error, CEILING));
const median = (values) => [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) / 2)];

function survival(found, speeds, kind) {
  const curves = inOrder(bySubject(ordinary(found).filter((row) => row.survival))).map(([place, rows]) => {
    const outputs = rows.reduce((sum, row) => sum + row.elements, 0);
    return [place, data.thresholds.map((threshold, i) => [threshold, rows.reduce((sum, row) => sum + (row.survival[i] ?? 0), 0) / outputs || null])];
  });
  const shares = curves.flatMap(([, points]) => points.map(([, share]) => share)).filter(Boolean);
  if (!shares.length) return null;
  const shown = curves.flatMap(([, points]) => points.filter(([, share]) => share).map(([threshold]) => threshold));
  const x = axis([...shown, data.thresholds[0], 1], PLOT.left, PLOT.right, { log: true });
  const y = axis(shares, PLOT.bottom, PLOT.top, { log: true });
  const marks = curves.map(([place, points]) => line(place, points, x, y));
  return [...frame(x, y, kind), dotted(`M${x.place(0.5)} ${PLOT.bottom}V${PLOT.top}`), within(marks)];
}

function errorAgainstK(found, speeds, kind) {
  const lines = inOrder(bySubject(found.filter((row) => row.widths))).map(([place, rows]) => [place, rows.flatMap((row) => row.widths).sort(([a], [b]) => a - b)]);
  const points = lines.flatMap(([, all]) => all);
  if (!points.some(([, error]) => error)) return null;
  const most = Math.min(Math.max(...points.map(([, error]) => error ?? 0)) * 1.5, 1e4);
  const x = axis(points.map(([width]) => width), PLOT.left, PLOT.right, {});
  const y = axis([], PLOT.bottom, PLOT.top, { log: true, low: 0.05, high: Math.max(most, 1) });
  return [...frame(x, y, kind), within(lines.map(([place, all]) => line(place, all, x, y, { "stroke-width": 1 })))];
}

function timeAgainstK(found, speeds, kind) {
  const lines = inOrder(bySubject(speeds.filter((row) => row.time))).map(([place, rows]) => [place, rows.map((row) => [row.columns, row.time]).sort(([a], [b]) => a - b)]);
  const points = lines.flatMap(([, all]) => all);
  if (!points.length) return null;
  const x = axis(points.map(([width]) => width), PLOT.left, PLOT.right, { log: true });
  const y = axis(points.map(([, time]) => time), PLOT.bottom, PLOT.top, { log: true });
  const marks = lines.flatMap(([place, all]) => [line(place, all, x, y), ...all.map(([width, time]) => dot(place, x.place(width), y.place(time), 2))]);
  return [...frame(x, y, kind), ...marks];
}

function errorsAgainstBounds(found, speeds, kind) {
  const points = found.filter((row) => row.bound !== null && row.ratio !== null);
  if (!points.length) return null;
  const high = 10 * Math.min(Math.max(100, ...points.map((row) => row.bound)), 1e19);
  const clip = (value, least) => Math.min(Math.max(value, least), high);
  const x = axis([], PLOT.left, PLOT.right, { log: true, low: 0.05, high });
  const y = axis([], PLOT.bottom, PLOT.top, { log: true, low: LEAST, high });
  const start = y.place(0.05);
  const forbidden = svg("path", { class: "forbidden", d: `M${PLOT.left} ${start}L${PLOT.right} ${PLOT.top}H${PLOT.left}Z` });
  const diagonal = svg("path", { class: "edge", d: `M${PLOT.left} ${start}L${PLOT.right} ${PLOT.top}` });
  const marks = points.map((row) => svg("circle", { cx: x.place(clip(row.bound, 0.05)).toFixed(1), cy: y.place(clip(row.bound * row.ratio, LEAST)).toFixed(1), r: 2.2, fill: "none", stroke: ink(row.place) }, told(row.place)));
  return [forbidden, ...frame(x, y, kind), diagonal, ...marks];
}

const DRAW = {
  "error-against-time": errorAgainstTime, survival, "error-against-k": errorAgainstK,
  "time-against-k": timeAgainstK, "errors-against-bounds": errorsAgainstBounds,
};

// --- All of them ----------------------------------------------------------------------------------

function showPlots() {
  const found = chosen("errors", false);
  const speeds = speedsOf(found);
  for (const figureOf of findAll("figure[data-kind]")) {
    const kind = data.plots[figureOf.dataset.kind];
    const marks = DRAW[figureOf.dataset.kind](found, speeds, kind);
    const nothing = make("p", `Not measured in this run for this operation and format${filtered() ? ", or filtered out" : ""}.`, { class: "nothing" });
    find(".plot", figureOf).replaceChildren(marks ? drawing(figureOf.dataset.kind, kind, marks) : nothing);
    find("figcaption", figureOf).textContent = kind.how.replaceAll("ordinary rows", basis(found));
  }
  const shown = new Set([...found, ...speeds].map((row) => row.place));
  findAll(".legend li").forEach((item, place) => { item.hidden = !shown.has(place); });
}

/** Times of the methods that are chosen: a time is of no case. */
function speedsOf(found) {
  const places = new Set([...found, ...chosen("speed", false)].map((row) => row.place));
  return rows("speed").filter((row) => row.operation === state.operation && row.format === state.format && places.has(row.place));
}

function drawing(name, kind, marks) {
  const of = `${title(state.operation)}, ${data.formats[state.format]}, ${data.runs[state.run].label}`;
  const spoken = [svg("title", { id: `${name}-title` }, `${kind.title}: ${of}`), svg("desc", { id: `${name}-desc` }, kind.how)];
  const attributes = { viewBox: `0 0 ${PLOT.width} ${PLOT.height}`, role: "img", "aria-labelledby": `${name}-title ${name}-desc` };
  return svg("svg", attributes, [...spoken, ...marks.filter(Boolean)]);
}
