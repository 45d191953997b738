// The headline of what is chosen. Without a filter it is the one that Python wrote.

const written = [];

const filtered = () => Boolean(state.family || state.text.trim());
const basis = (found) => (state.family ? `${state.family} cases` : found.some((row) => row.family === "random") ? "ordinary rows" : "the chosen cases");

/** The rows whose largest errors stand for a method: ordinary ones, where none are asked for. */
function ordinary(found) {
  const usual = found.filter((row) => row.family === "random");
  return state.family || !usual.length ? found : usual;
}

function showHeadline() {
  const parts = findAll(".headline");
  if (!written.length) written.push(...parts.map((part) => find("tbody", part)));
  parts.forEach((part, run) => { part.hidden = run !== state.run; });
  const found = filtered() ? chosen("errors", true) : [];
  find("tbody", parts[state.run]).replaceWith(filtered() ? headlineOf(found) : written[state.run]);
  find("#headline .basis").textContent = filtered() ? basis(found) : "ordinary rows";
  find("#headline .where").textContent = filtered() ? "in the chosen cases" : "in all cases";
}

function headlineOf(found) {
  const cells = new Map();
  for (const row of found) {
    const key = row.place * data.formats.length + row.format;
    if (!cells.has(key)) cells.set(key, []);
    cells.get(key).push(row);
  }
  const lines = [...cells].sort(([a], [b]) => a - b).map(([, rows], i, all) => headlineRow(rows, i === 0 || all[i - 1][1][0].place !== rows[0].place));
  if (!lines.length) lines.push(make("tr", make("td", "Nothing matches.", { colspan: data.headline.operations + 6 })));
  return make("tbody", lines);
}

function headlineRow(found, first) {
  const worst = (rows, operation) => {
    const mine = rows.filter((row) => row.operation === operation);
    return mine.length ? figure(mine.reduce((most, row) => (row.max === null ? most : Math.max(most ?? 0, row.max)), null)) : "–";
  };
  const sum = (name) => grouped(found.reduce((total, row) => total + (row[name] ?? 0), 0));
  const [{ place, format, subject, formatName }] = found;
  const times = rows("speed").filter((row) => row.place === place && row.format === format && row.operation === 0 && row.columns === data.headline.columns);
  const ratios = found.map((row) => row.ratio).filter((value) => value !== null);
  const usual = ordinary(found);
  const figures = [
    ...Array.from({ length: data.headline.operations }, (_, operation) => worst(usual, operation)),
    worst(found, data.headline.any), `${sum("failures")} of ${sum("elements")}`,
    ratios.length ? ratio(Math.max(...ratios)) : "–", times.length ? figure(median(times.map((row) => row.time))) : "–",
  ];
  const cells = [make("th", subject, { scope: "row" }), make("td", formatName), ...figures.map((text) => make("td", text, { class: "number" }))];
  return make("tr", cells, first ? { class: "first" } : {});
}
