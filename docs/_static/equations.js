// The index of equations: what matches a word, is of a kind, or stands in another order is one list instead of
// the folds of the pages. Without this script each fold opens by itself.
"use strict";

(() => {
  const index = document.querySelector(".equation-index");
  if (!index) return;
  const folds = [...index.querySelectorAll("details")];
  const homes = folds.map((fold) => [fold.querySelector("tbody"), [...fold.querySelectorAll("tbody tr")]]);
  const rows = homes.flatMap(([, own]) => own);
  const heads = [...folds[0].querySelectorAll("th")].map((head) => head.dataset.name);
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const list = folds[0].querySelector("table").cloneNode(true);
  list.tBodies[0].replaceChildren();
  list.hidden = true;
  index.append(list);

  const control = (words, made) => {
    const label = document.createElement("label");
    label.append(words, made);
    return label;
  };
  const word = document.createElement("input");
  word.type = "search";
  const kind = document.createElement("select");
  const kinds = [...new Set(rows.map((row) => row.dataset.kind))].sort();
  kind.append(new Option("all", ""), ...kinds.map((name) => new Option(name)));
  const order = document.createElement("select");
  order.append(new Option("Page by page", ""), ...heads.filter((name) => !["Formula", "Page", "Evidence"].includes(name)).map((name) => new Option(name)));
  const count = document.createElement("output");

  const key = (row) => {
    const cell = row.querySelector(`[data-name="${order.value}"]`);
    return cell.dataset.key ?? cell.textContent;
  };
  const compare = (a, b) => key(a).localeCompare(key(b), "en", { numeric: true });
  const less = (a, b) => (order.value === "Error" ? key(b) - key(a) : compare(a, b)); // what holds least nearly, first

  const show = () => {
    const wanted = word.value.trim().toLowerCase();
    const rank = (row) => { // what has this number comes first, then what has it in its number or its label
      const [number, label] = [...row.cells[0].children].map((part) => part.textContent.toLowerCase()).filter(Boolean);
      return number === `(${wanted})` ? 0 : number.includes(wanted) || label.includes(wanted) ? 1 : 2;
    };
    const found = rows.filter((row) => texts.get(row).includes(wanted) && (!kind.value || row.dataset.kind === kind.value));
    const listed = Boolean(wanted || kind.value || order.value);
    if (order.value) found.sort(less);
    else if (wanted) found.sort((a, b) => rank(a) - rank(b));
    for (const [body, own] of homes) body.append(...own);
    if (listed) list.tBodies[0].replaceChildren(...found);
    list.hidden = !listed;
    for (const fold of folds) fold.hidden = listed;
    count.textContent = `${found.length || "none"} of ${rows.length}`;
  };
  const remember = () => {
    const open = folds.flatMap((fold, i) => (fold.open ? [i] : []));
    history.replaceState({ word: word.value, kind: kind.value, order: order.value, open }, "");
  };
  for (const made of [word, kind, order]) {
    made.addEventListener("input", () => {
      show();
      remember();
    });
  }

  const form = document.createElement("form");
  form.className = "equation-filter";
  form.addEventListener("submit", (event) => event.preventDefault());
  form.append(control("Find ", word), control("Kind ", kind), control("Sort by ", order), count);
  index.before(form);

  const last = history.state ?? {}; // after a reload, or back from another page
  word.value = last.word ?? "";
  kind.value = last.kind ?? "";
  order.value = last.order ?? "";
  for (const i of last.open ?? []) if (folds[i]) folds[i].open = true; // the site may have been built anew
  for (const fold of folds) fold.addEventListener("toggle", remember);
  show();
})();
