// Exercises: right or not yet is said below the code and to a screen reader; a tally stands above the first; code and
// results are kept in this browser (localStorage) until the reader clears them. copy.js has made the buttons. The page
// above those of the exercises says how many of each are right.
"use strict";
(() => {
  const KEY = "bptt-exercises", NAME = /exercises\.check\(\s*"([\w-]+)"/;
  const { cells, block, load, make, say, button } = window.bptt;
  const memory = {
    get: () => { try { return JSON.parse(localStorage.getItem(KEY)) ?? {}; } catch { return {}; } },
    set: (value) => { try { localStorage.setItem(KEY, JSON.stringify(value)); } catch { /* not kept, then */ } },
  };
  const rights = (names) => { // how many of some exercises are right
    const all = memory.get();
    return names.filter((name) => all[name]?.right).length;
  };
  for (const place of document.querySelectorAll(".exercise-count")) {
    const names = place.dataset.exercises.split(" ");
    place.textContent = `${rights(names)} of ${names.length} right`;
  }

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
  const told = make("span"), bar = make("progress", { max: found.length });
  bar.setAttribute("aria-label", "Exercises of this page that are right");
  // To clear takes two presses. Its button is never disabled, which would send the focus away.
  const clear = button("Clear my answers", "Clear my answers and results on this page", () => {
    if (clear.getAttribute("aria-disabled") === "false") ask(true);
  });
  const no = button("No", "No, keep my answers", () => ask(false));
  const yes = button("Yes, clear", "Yes, clear my answers and results on this page", () => {
    const all = memory.get();
    for (const { name, cell } of found) {
      delete all[name];
      if (cell.area || cell.out?.childElementCount) window.bptt.live.reset(cell);
      mark(cell, "");
    }
    memory.set(all);
    tally();
    ask(false);
    say("Your answers on this page are cleared");
  });
  const sure = make("span", { className: "exercise-sure", hidden: true }, "Clear all answers? ", yes, " ", no);
  sure.setAttribute("role", "group");
  sure.setAttribute("aria-label", "Clear all answers of this page?");
  sure.addEventListener("keydown", ({ key }) => key === "Escape" && ask(false));
  const ask = (asked) => {
    sure.hidden = !asked;
    clear.hidden = asked;
    (asked ? no : clear).focus();
  };
  box.append(told, bar, clear, sure);
  function tally() {
    const all = memory.get(), right = rights(found.map(({ name }) => name));
    told.textContent = `${right} of ${found.length} right`;
    bar.value = right;
    clear.setAttribute("aria-disabled", String(!found.some(({ name }) => all[name])));
    return told.textContent;
  }

  // --- right, or not yet
  function mark(cell, result, words = "") {
    if (!cell.verdict) cell.bar.prepend(cell.verdict = make("p", { className: "exercise-said" }));
    if (result) cell.box.dataset.result = result;
    else delete cell.box.dataset.result;
    cell.verdict.textContent = words;
  }
  const before = ({ cell, name, number }) => { // what is known of an exercise whose code, as it stands, has not run
    const { right } = memory.get()[name] ?? {};
    mark(cell, right ? "right" : "", right ? `✓ Exercise ${number} was right` : "");
  };
  document.addEventListener("bptt-runs", ({ target }) => {
    const exercise = of(target);
    if (exercise) before(exercise);
  });
  document.addEventListener("bptt-ran", ({ target, detail }) => {
    const exercise = of(target);
    if (!exercise) return;
    const { cell, name, number } = exercise, code = window.bptt.live.source(cell);
    write(name, detail.ok ? { code, right: true } : { code });
    const words = detail.ok ? `✓ Exercise ${number} is right` : `✗ Exercise ${number}: not yet. What is wrong stands below`;
    mark(cell, detail.ok ? "right" : "wrong", words);
    if (!detail.ok) cell.status.textContent = "";
    if (cell.box.contains(document.activeElement)) cell.verdict.scrollIntoView({ block: "nearest" });
    const last = cell.out.innerText.trim();
    say(`${words.slice(2)}. ${tally()}. ${detail.ok ? "" : last.slice(0, 300)}`);
  });
  document.addEventListener("bptt-reset", ({ target }) => {
    const exercise = of(target);
    if (!exercise) return;
    write(exercise.name, { code: undefined });
    before(exercise);
  });
  document.addEventListener("input", ({ target }) => {
    const exercise = target.matches?.(".live-area") && of(target);
    if (!exercise) return;
    write(exercise.name, { code: target.value });
    before(exercise);
    tally();
  });

  // --- what was kept
  const kept = memory.get();
  found.forEach(before);
  const edited = found.filter(({ cell, name }) => kept[name]?.code !== undefined && kept[name].code !== block(cell.pre));
  for (const { cell, name } of edited) { // the room of its editor (live.css) is there before the editor: the page keeps its place
    const height = `calc(${kept[name].code.split("\n").length} * 1.5em + 1.25rem + 2px)`;
    Object.assign(cell.pre.style, { boxSizing: "border-box", height });
  }
  if (edited.length) load().then(() => edited.forEach(({ cell, name }) => window.bptt.live.edit(cell, kept[name].code)));
  tally();
})();
