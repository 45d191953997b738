// The table of methods to take: written by Python, sorted by any of its columns here.

function sortChoice(table, column) {
  const heads = findAll("th", table);
  const up = heads[column].getAttribute("aria-sort") !== "ascending";
  heads.forEach((head, i) => { if (i === column) head.setAttribute("aria-sort", up ? "ascending" : "descending"); else head.removeAttribute("aria-sort"); });
  const key = (row) => (row.cells[column].dataset.key === "" ? Infinity : Number(row.cells[column].dataset.key));
  const rows = [...findAll("tbody tr", table)].sort((a, b) => (key(a) === key(b) ? 0 : (key(a) < key(b)) === up ? -1 : 1));
  find("tbody", table).append(...rows);
}

function makeChoiceSortable() {
  for (const table of findAll(".choice")) {
    findAll("th", table).forEach((head, column) => {
      const button = make("button", head.textContent, { type: "button", "aria-label": `sort methods by ${head.textContent}` });
      button.addEventListener("click", () => sortChoice(table, column));
      head.replaceChildren(button);
    });
  }
}
