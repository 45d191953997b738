// Texts of the data become text nodes and never markup, whatever they hold.
const data = JSON.parse(document.getElementById("data").textContent);
const BATCH = 250; // rows at a time, so that a phone keeps up
const find = (selector, root = document) => root.querySelector(selector);
const findAll = (selector, root = document) => [...root.querySelectorAll(selector)];
const controls = find("#controls").elements;

function make(name, content = [], attributes = {}) {
  const element = document.createElement(name);
  element.append(...[content].flat());
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

// --- Figures as the tables of a report have them ------------------------------------------------

function figure(value) {
  if (value === null) return "–";
  const size = Math.abs(value);
  if (size === 0 || (size >= 1e-3 && size < 999.5)) return String(Number(value.toPrecision(3)));
  for (const [power, suffix] of [[3, "k"], [6, "M"], [9, "G"], [12, "T"]]) {
    if (size >= 999.5 && size < 9.995 * 10 ** (power + 2)) {
      return Number((value / 10 ** power).toPrecision(3)) + suffix;
    }
  }
  const [mantissa, exponent] = value.toExponential(2).split("e");
  return `${Number(mantissa)}e${Number(exponent)}`;
}

const collator = new Intl.Collator("en", { numeric: true });
const ratio = (value) => (value >= 0.9995 && value < 1 ? ">0.999" : figure(value));
const grouped = (value) => value.toLocaleString("en");
const title = (operation) => data.operations[operation][1];

// --- Rows ---------------------------------------------------------------------------------------

const at = (column, index) => (column === null ? null : column[index]);
const listed = (column, index) => (column === null ? null : data.lists[column[index]]);

function common(table, index) {
  const [subject, operation, format] = ["subject", "operation", "format"].map((name) => table[name][index]);
  return { subject: data.subjects[subject], place: subject, operation, format, operationName: title(operation), formatName: data.formats[format] };
}

function errorRow(table, index) {
  const [name, family, reason] = data.cases[table.case[index]];
  const failures = data.failures[table.failures[index]];
  const kinds = data.kinds.flatMap((kind, i) => (failures[i] ? [`${grouped(failures[i])} ${kind}`] : []));
  const worst = data.lists[table.worst[index]];
  return {
    ...common(table, index), case: name, family, reason,
    max: at(table.max_ulp, index), mean: at(table.mean_ulp, index),
    bound: at(table.claim_bound_ulp, index), ratio: at(table.claim_ratio, index),
    failures: failures.reduce((sum, count) => sum + count, 0), kinds: kinds.join(", "),
    elements: table.elements[index], failed: failures[0] + failures[1] > 0,
    survival: listed(table.survival, index), widths: listed(table.widths, index),
    cell: data.texts[table.text[index]], shade: data.shades[table.shade[index]], worst,
  };
}

function speedRow(table, index) {
  return {
    ...common(table, index), rows: table.rows[index], columns: table.columns[index],
    rounds: table.rounds[index], time: at(table.ns_per_element, index), spread: at(table.iqr_ns_per_element, index),
  };
}

const shared = (table) => Object.fromEntries(Object.entries(table).map(([name, place]) => [name, data.columns[place]]));
const rowsOf = (table, row) => table.subject.map((_, index) => row(table, index));
const made = new Map();
function rows(name) {
  const key = `${name} ${state.run}`;
  const run = data.runs[state.run];
  if (!made.has(key)) made.set(key, name === "errors" ? rowsOf(shared(run.errors), errorRow) : rowsOf(run.speed, speedRow));
  return made.get(key);
}

function matches(row, words) {
  const text = [row.subject, row.operationName, row.formatName, row.case, row.columns].join(" ").toLowerCase();
  return words.every((word) => text.includes(word));
}

function chosen(name, everywhere) {
  const words = state.text.toLowerCase().split(/\s+/).filter(Boolean);
  return rows(name).filter((row) =>
    (everywhere || (row.operation === state.operation && row.format === state.format)) &&
    (!state.family || row.family === undefined || row.family === state.family) && matches(row, words));
}

function sorted(found, [key, direction]) {
  const sign = direction === "desc" ? -1 : 1;
  return [...found].sort((a, b) => {
    const [x, y] = [a[key], b[key]];
    if (x === null || y === null) return (x === null) - (y === null); // what is missing comes last
    return sign * (typeof x === "number" ? x - y : collator.compare(x, y));
  });
}

// --- What is shown, kept in the address ---------------------------------------------------------

const present = Object.fromEntries(["operation", "format"].map((name) => [
  name, [...new Set(data.runs.flatMap((run) => [...data.columns[run.errors[name]], ...run.speed[name]]))].sort((a, b) => a - b),
]));
const families = [...new Set(data.cases.map((entry) => entry[1]))].sort();
const indexOf = (list, value) => Math.max(list.indexOf(value), 0);

function defaults() {
  const format = data.formats.indexOf("fp32");
  const inUse = present.format;
  return {
    run: 0, operation: present.operation[0] ?? 0,
    format: inUse.includes(format) ? format : inUse[0] ?? 0, family: "", text: "", every: false,
    errors: ["max", "desc"], speed: ["time", "asc"], versus: indexOf(data.subjects, "stable"),
  };
}

let state = defaults();

function fromAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const found = defaults();
  const pick = (name, list) => { if (list.includes(given.get(name))) found[name] = list.indexOf(given.get(name)); };
  if (data.runs[given.get("run") - 1]) found.run = given.get("run") - 1;
  pick("operation", data.operations.map(([name]) => name));
  pick("format", data.formats);
  pick("versus", data.subjects);
  if (families.includes(given.get("family"))) found.family = given.get("family");
  found.text = (given.get("filter") ?? "").slice(0, 200);
  found.every = given.get("every") === "1";
  for (const [name, columns] of Object.entries(COLUMNS)) {
    const [key, direction] = (given.get(name) ?? "").split(".");
    if (columns.some((column) => column.key === key)) found[name] = [key, direction === "desc" ? "desc" : "asc"];
  }
  return found;
}

function toAddress() {
  const named = (from) => ({
    run: from.run + 1, operation: data.operations[from.operation]?.[0], format: data.formats[from.format],
    family: from.family, filter: from.text, every: from.every ? "1" : "0",
    errors: from.errors.join("."), speed: from.speed.join("."), versus: data.subjects[from.versus],
  });
  const [now, usual] = [named(state), named(defaults())];
  const changed = Object.entries(now).filter(([key, value]) => value !== usual[key]);
  const address = new URLSearchParams(changed).toString();
  history.replaceState(null, "", address ? `#${address}` : location.pathname + location.search);
}

// --- Tables -------------------------------------------------------------------------------------

const text = (key, head, show = (row) => row[key]) => ({ key, head, show });
const number = (key, head, show = (row) => figure(row[key])) => ({ key, head, show, number: true });
const NAMES = [
  { ...text("subject", "method"), words: true },
  { ...text("operationName", "operation"), only: true }, { ...text("formatName", "format"), only: true },
];
const COLUMNS = {
  errors: [
    ...NAMES, { ...text("case", "case"), words: true },
    number("max", "largest, ulp", (row) => opener(row)), number("mean", "mean, ulp"),
    number("failures", "failures", (row) => row.kinds || (row.failures ? figure(row.failures) : "0")),
    number("bound", "bound, ulp"), number("ratio", "measured / bound", (row) => ratio(row.ratio)),
    text("family", "family"),
  ],
  speed: [
    ...NAMES, number("columns", "K", (row) => grouped(row.columns)), number("time", "ns per element"),
    number("ratio", "ratio"), number("spread", "quartiles apart, ns"),
    number("rounds", "rounds", (row) => grouped(row.rounds)), number("rows", "rows", (row) => grouped(row.rows)),
  ],
};
const columnsOf = (name) => COLUMNS[name].filter((column) => state.every || !column.only); // the others would say one thing
const limits = { errors: BATCH, speed: BATCH };

function opener(row) {
  const button = make("button", row.max === null ? row.cell : figure(row.max), { type: "button", class: "open" });
  button.setAttribute("aria-label", `${button.textContent}: worst input of ${named(row)}`);
  button.addEventListener("click", () => openWorst(row));
  return button;
}

function head(name) {
  const cells = columnsOf(name).map((column) => {
    const label = name === "speed" && column.key === "ratio" ? `ratio to ${data.subjects[state.versus] ?? "–"}` : column.head;
    const button = make("button", label, { type: "button", "data-key": column.key });
    button.addEventListener("click", () => sortBy(name, column));
    const cell = make("th", button, { scope: "col" });
    if (column.number) cell.className = "number";
    const [key, direction] = state[name];
    if (column.key === key) cell.setAttribute("aria-sort", direction === "desc" ? "descending" : "ascending");
    return cell;
  });
  return make("thead", make("tr", cells));
}

function sortBy(name, column) {
  const [key, direction] = state[name];
  const first = column.number && name === "errors" ? "desc" : "asc";
  const other = { asc: "desc", desc: "asc" };
  change({ [name]: [column.key, column.key === key ? other[direction] : first] });
  find(`#${name} [data-key="${column.key}"]`).focus();
}

function tableRow(name, row) {
  return make("tr", columnsOf(name).map((column, place) => {
    const cell = place ? make("td", column.show(row)) : make("th", column.show(row), { scope: "row" });
    cell.className = column.number ? "number" : column.words ? "words" : "";
    return cell;
  }));
}

function showTable(name) {
  const found = sorted(name === "speed" ? compared() : chosen(name, state.every), state[name]);
  const shown = found.slice(0, limits[name]);
  find(`#${name} table`).replaceChildren(head(name), make("tbody", shown.map((row) => tableRow(name, row))));
  if (!found.length) find(`#${name} tbody`).append(make("tr", make("td", "Nothing matches.", { colspan: columnsOf(name).length })));
  find(`#${name} .count`).textContent =
    `${grouped(shown.length)} of ${grouped(found.length)} chosen, ${grouped(rows(name).length)} in this run`;
  find(`#${name} .more`).hidden = shown.length === found.length;
}

function compared() {
  const cell = (row) => [row.operation, row.format, row.rows, row.columns].join(" ");
  const base = new Map(rows("speed").filter((row) => row.place === state.versus).map((row) => [cell(row), row.time]));
  return chosen("speed", state.every).map((row) => ({ ...row, ratio: base.has(cell(row)) ? row.time / base.get(cell(row)) : null }));
}

// --- Map of errors ------------------------------------------------------------------------------

const named = (row) => `${row.subject}, ${row.operationName}, ${row.formatName}, ${row.case}`;

function showMap() {
  const found = chosen("errors", false);
  const subjects = [...new Set(found.map((row) => row.place))].sort((a, b) => a - b);
  const byCase = groups(found);
  const cells = subjects.map((place) => make("th", make("span", data.subjects[place]), { scope: "col" }));
  const body = make("tbody");
  let family;
  for (const [name, records] of byCase) {
    if (records[0].family !== family) {
      family = records[0].family;
      const across = make("th", `${family} cases`, { colspan: subjects.length + 1, scope: "colgroup" });
      body.append(make("tr", across, { class: "family" }));
    }
    const bySubject = new Map(records.map((row) => [row.place, row]));
    const tiles = subjects.map((place) => make("td", bySubject.has(place) ? tile(bySubject.get(place)) : []));
    body.append(make("tr", [make("th", name, { scope: "row" }), ...tiles]));
  }
  find(".map").replaceChildren(make("thead", make("tr", [make("th", "case", { scope: "col" }), ...cells])), body);
  find("#map .count").textContent = `${grouped(byCase.size)} cases, ${grouped(found.length)} cells`;
  const first = find(".map button");
  if (first) first.tabIndex = 0;
}

function groups(found) {
  const byCase = new Map();
  for (const row of found) {
    if (!byCase.has(row.case)) byCase.set(row.case, []);
    byCase.get(row.case).push(row);
  }
  return byCase;
}

function tile(row) {
  const button = make("button", row.cell, { type: "button", tabindex: -1, "aria-label": `${row.cell}: ${named(row)}` });
  [button.style.background, button.style.color] = row.shade;
  button.addEventListener("click", () => openWorst(row));
  return button;
}

function moveInMap(event) {
  const step = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
  if (!step || !event.target.closest(".map td")) return;
  const lines = findAll(".map tbody tr:not(.family)").map((row) => findAll("td", row));
  const place = event.target.closest("td");
  let y = lines.findIndex((cells) => cells.includes(place));
  let x = lines[y].indexOf(place);
  do { y += step[0]; x += step[1]; } while (lines[y]?.[x] && !find("button", lines[y][x]));
  const next = lines[y]?.[x] && find("button", lines[y][x]);
  event.preventDefault();
  if (!next) return;
  event.target.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function showScale() {
  find(".scale").replaceChildren(...data.scale.map(([words, background, ink]) => {
    const sample = make("span", `${words} ulp`);
    [sample.style.background, sample.style.color] = [background, ink];
    return sample;
  }));
}

// --- Plots --------------------------------------------------------------------------------------

function showLegend() {
  find(".legend").replaceChildren(...data.subjects.map((name, place) => {
    const swatch = make("i");
    swatch.style.background = `var(--c${data.colours[place]})`;
    return make("li", [swatch, name]);
  }));
}

// --- The worst input of a cell ------------------------------------------------------------------

const dialog = find("#worst");

function script([, , , , imports, row, call, got, exact]) {
  const lines = [imports, row, call].map((place) => data.texts[place]);
  return [...lines, "print(float(got).hex())", `# got      ${data.texts[got]}`, `# expected ${data.texts[exact]}`].join("\n");
}

function decimal(hex) {
  const [, sign, digits, power] = /^(-?)0x([0-9a-f.]+)p([+-]\d+)$/.exec(hex) ?? [];
  if (digits === undefined) return hex;
  const [whole, part = ""] = digits.split(".");
  const significand = [...part].reduce((sum, digit, place) => sum + parseInt(digit, 16) / 16 ** (place + 1), parseInt(whole, 16));
  const half = Math.trunc(power / 2); // in two steps, so that subnormal numbers are met
  const value = significand * 2 ** half * 2 ** (power - half);
  return `${sign}${Number(value.toPrecision(8))} (${hex})`;
}

function facts(row) {
  const lines = [["case", row.reason ? `${row.case}: ${row.reason}` : row.case], ["largest error", row.max === null ? row.cell : `${figure(row.max)} ulp`]];
  if (row.kinds) lines.push(["failures", row.kinds]);
  if (!Array.isArray(row.worst)) return [...lines, ["worst input", data.texts[row.worst]]];
  const [batch, which, column, width, , , , got, exact] = row.worst;
  lines.push(["got", decimal(data.texts[got])], ["expected", decimal(data.texts[exact])]);
  const where = `${column === null ? "" : `output ${column} of `}row ${which}, batch ${batch} of the case; K = ${grouped(width)}`;
  return [...lines, ["where", where]];
}

function openWorst(row) {
  const kept = Array.isArray(row.worst);
  find("h2", dialog).textContent = `${row.subject}, ${row.operationName}, ${row.formatName}`;
  find("dl", dialog).replaceChildren(...facts(row).flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  find("pre", dialog).hidden = find(".copy", dialog).hidden = !kept;
  find("code", dialog).textContent = kept ? script(row.worst) : "";
  find("[role=status]", dialog).textContent = "";
  dialog.showModal();
  find(kept ? ".copy" : ".close", dialog).focus();
}

async function copy() {
  const code = find("code", dialog);
  let copied = true;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch { // no permission, or a browser that has no clipboard for files
    getSelection().selectAllChildren(code);
    copied = document.execCommand("copy");
  }
  find("[role=status]", dialog).textContent = copied ? "Copied." : "Selected: press Ctrl+C.";
}

// --- All of it ----------------------------------------------------------------------------------

function fill(name, entries) {
  controls[name].replaceChildren(...entries.map(([value, label]) => make("option", label, { value })));
}

function showControls() {
  for (const name of ["run", "operation", "format", "family", "versus"]) controls[name].value = state[name];
  if (document.activeElement !== controls.text) controls.text.value = state.text;
  controls.every.checked = state.every;
}

function show() {
  const of = `${data.runs[state.run].label}, effort ${data.runs[state.run].effort}`;
  const one = `${title(state.operation)}, ${data.formats[state.format]}, ${of}`;
  const all = `every operation and format, ${of}`;
  for (const place of findAll(".chosen")) {
    place.textContent = state.every && place.classList.contains("tables") ? all : one;
  }
  showControls();
  showHeadline();
  showMap();
  showPlots();
  showTable("errors");
  showTable("speed");
}

function change(part) {
  Object.assign(state, part);
  Object.assign(limits, { errors: BATCH, speed: BATCH });
  show();
  toAddress();
}

function fromControls() {
  const numbers = Object.fromEntries(["run", "operation", "format", "versus"].map((name) => [name, Number(controls[name].value)]));
  change({ ...numbers, family: controls.family.value, text: controls.text.value, every: controls.every.checked });
}

function goTo(event) {
  const link = event.target.closest('a[href^="#"]');
  const target = link && document.getElementById(link.hash.slice(1));
  if (!target) return;
  event.preventDefault(); // the address keeps what is shown
  target.scrollIntoView();
  find("h2", target)?.focus({ preventScroll: true });
}

function start() {
  document.documentElement.classList.add("running");
  fill("run", data.runs.map((run, place) => [place, run.label]));
  fill("operation", present.operation.map((place) => [place, title(place)]));
  fill("format", present.format.map((place) => [place, data.formats[place]]));
  fill("family", [["", "all"], ...families.map((family) => [family, family])]);
  fill("versus", data.subjects.map((name, place) => [place, name]));
  find("#controls").addEventListener("submit", (event) => event.preventDefault());
  for (const control of controls) control.addEventListener("input", fromControls);
  for (const name of ["errors", "speed"]) {
    find(`#${name} .more`).addEventListener("click", () => { limits[name] += BATCH; showTable(name); });
  }
  find(".map").addEventListener("keydown", moveInMap);
  find(".copy", dialog).addEventListener("click", copy);
  find(".close", dialog).addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.addEventListener("click", goTo);
  addEventListener("hashchange", () => { state = fromAddress(); show(); });
  state = fromAddress();
  showLegend();
  showScale();
  show();
}

start();
