// A page's two layers: one switch opens and closes all folds, and is remembered; an address that leads into a fold
// opens it. Without JavaScript each fold opens by itself.
"use strict";
(() => {
  const KEY = "bptt-layers";
  const folds = [...document.querySelectorAll("details.layer")];
  const buttons = [...document.querySelectorAll(".layers-switch button")];
  const memory = {
    get: () => { try { return localStorage.getItem(KEY) ?? ""; } catch { return ""; } },
    set: (value) => { try { localStorage.setItem(KEY, value); } catch { /* not remembered, then */ } },
  };
  const show = (value) => {
    for (const fold of folds) fold.open = value === "open";
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.open === value));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      memory.set(button.dataset.open);
      show(button.dataset.open);
    });
  }
  if (memory.get()) show(memory.get());
  const reveal = () => {
    let name = location.hash.slice(1);
    try { name = decodeURIComponent(name); } catch { /* as it stands */ }
    const place = name && document.getElementById(name);
    if (!place) return;
    const closed = [];
    for (let fold = place.closest("details:not([open])"); fold; fold = fold.parentElement.closest("details:not([open])")) closed.push(fold);
    for (const fold of closed) fold.open = true;
    if (closed.length) place.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  reveal();
})();
