// The index of equations: sort by a column, show what matches a word or is of a kind. Without this
// script the index is a plain table.
"use strict";

(() => {
  const table = document.querySelector("table.equation-index");
  if (!table) return;
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));

  const key = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.key ?? cell.textContent.trim().toLowerCase();
  };

  const compare = (a, b) => {
    const [x, y] = [Number(a), Number(b)];
    return Number.isNaN(x) || Number.isNaN(y) ? a.localeCompare(b, "en", { numeric: true }) : x - y;
  };

  let sorted = rows; // as they came: page by page
  const sort = (column) => {
    const up = heads[column]?.getAttribute("aria-sort") !== "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column]?.setAttribute("aria-sort", up ? "ascending" : "descending");
    sorted = column < 0 ? rows : [...rows].sort((a, b) => compare(key(a, column), key(b, column)) * (up ? 1 : -1));
    order.value = String(column);
    filter();
  };

  heads.forEach((head, column) => {
    if (head.textContent === "Formula") return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    button.addEventListener("click", () => sort(column));
    head.replaceChildren(button);
  });

  const labeled = (words, control) => {
    const label = document.createElement("label");
    label.append(words, control);
    return label;
  };
  const word = document.createElement("input");
  word.type = "search";
  const kind = document.createElement("select");
  const kinds = new Set(rows.map((row) => row.dataset.kind));
  kind.append(new Option("all", ""), ...[...kinds].sort().map((name) => new Option(name, name)));
  const count = document.createElement("output");

  const filter = () => {
    const wanted = word.value.trim().toLowerCase();
    const named = (row) => row.cells[0].textContent.toLowerCase().includes(wanted); // by its number or its label
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(texts.get(row).includes(wanted) && (!kind.value || row.dataset.kind === kind.value));
      shown += !row.hidden;
    }
    body.append(...sorted.filter(named), ...sorted.filter((row) => !named(row)));
    count.textContent = `${shown} of ${rows.length}`;
  };
  word.addEventListener("input", filter);
  kind.addEventListener("input", filter);

  const order = document.createElement("select"); // on a phone the heads are not shown
  order.append(new Option("Page by page", -1), ...heads.map((head, i) => new Option(head.textContent, i)).filter((o) => o.text !== "Formula"));
  order.addEventListener("input", () => sort(Number(order.value)));

  const form = document.createElement("form");
  form.className = "equation-filter";
  form.addEventListener("submit", (event) => event.preventDefault());
  const sorter = labeled("Sort by ", order);
  sorter.className = "equation-order";
  form.append(labeled("Find ", word), labeled("Kind ", kind), sorter, count);
  count.textContent = `${rows.length} of ${rows.length}`;
  table.before(form);
})();
