// Exercises: right or not yet is said at the exercise and to a screen reader; a tally stands above the first; code and
// results are kept in this browser (localStorage) until the reader clears them. copy.js has made the buttons.
"use strict";
(() => {
  const KEY = "bptt-exercises", NAME = /exercises\.check\(\s*"([\w-]+)"/;
  const { cells, block, load, say, button } = window.bptt;
  const memory = {
    get: () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; } },
    set: (value) => { try { localStorage.setItem(KEY, JSON.stringify(value)); } catch { /* not kept, then */ } },
  };
  const found = cells.filter((cell) => cell.box.classList.contains("exercise") && cell.run)
    .map((cell, k) => ({ cell, name: block(cell.pre).match(NAME)?.[1], number: cell.box.closest("section")?.querySelector("h2")?.textContent.match(/^\d+/)?.[0] ?? k + 1 }));
  const box = document.querySelector(".exercise-tally");
  if (!found.length || !box) return;

  const write = (name, part) => {
    const all = memory.get();
    memory.set({ ...all, [name]: { ...all[name], ...part } });
  };
  const of = (box_) => found.find(({ cell }) => cell.box === box_.closest(".exercise"));

  // --- the tally
  const told = document.createElement("span"), bar = document.createElement("progress");
  bar.max = found.length;
  bar.setAttribute("aria-label", "Exercises of this page that are right");
  const clear = button("Clear my answers", "Clear my answers and results on this page", () => {
    const all = memory.get();
    for (const { name, cell } of found) {
      delete all[name];
      if (cell.area) window.bptt.live.reset(cell);
      mark(cell, "");
    }
    memory.set(all);
    tally();
    say("Your answers on this page are cleared");
    clear.focus();
  });
  box.append(told, bar, clear);
  function tally() {
    const all = memory.get(), right = found.filter(({ name }) => all[name]?.right).length;
    told.textContent = `${right} of ${found.length} right`;
    bar.value = right;
    clear.disabled = !found.some(({ name }) => all[name]);
    return told.textContent;
  }

  // --- right, or not yet
  function mark(cell, result, words = "") {
    cell.verdict ??= cell.box.appendChild(Object.assign(document.createElement("p"), { className: "exercise-said" }));
    if (result) cell.box.dataset.result = result;
    else delete cell.box.dataset.result;
    cell.verdict.textContent = words;
  }
  document.addEventListener("bptt-ran", ({ target, detail }) => {
    const exercise = of(target);
    if (!exercise) return;
    const { cell, name, number } = exercise, code = window.bptt.live.source(cell);
    write(name, detail.ok ? { code, right: true } : { code });
    const words = detail.ok ? `✓ Exercise ${number} is right` : `✗ Exercise ${number}: not yet. What is wrong stands above`;
    mark(cell, detail.ok ? "right" : "wrong", words);
    const last = cell.out.innerText.trim();
    say(`${words.slice(2)}. ${tally()}. ${detail.ok ? "" : last.slice(0, 300)}`);
  });
  document.addEventListener("bptt-reset", ({ target }) => {
    const exercise = of(target);
    if (!exercise) return;
    const { right } = memory.get()[exercise.name] ?? {};
    write(exercise.name, { code: undefined });
    mark(exercise.cell, right ? "right" : "", right ? `✓ Exercise ${exercise.number} was right` : "");
  });
  document.addEventListener("input", ({ target }) => {
    const exercise = target.matches?.(".live-area") && of(target);
    if (exercise) write(exercise.name, { code: target.value });
    if (exercise) clear.disabled = false;
  });

  // --- what was kept
  const kept = memory.get();
  for (const { cell, name, number } of found) {
    if (kept[name]?.right) mark(cell, "right", `✓ Exercise ${number} was right`);
  }
  const edited = found.filter(({ cell, name }) => kept[name]?.code !== undefined && kept[name].code !== block(cell.pre));
  if (edited.length) load().then(() => edited.forEach(({ cell, name }) => window.bptt.live.edit(cell, kept[name].code)));
  tally();
})();
