// Under each block of code: copy it; under a cell of a page with many, also copy it with the lines it needs from the
// cells above. Without JavaScript nothing is missing but the buttons. Works from a file, too.
"use strict";
(() => {
  // --- the code of a block, as its author wrote it
  const block = (pre) => pre.textContent.replace(/^\n+|\n+$/g, "");
  // An example of a docstring: its code alone, without prompts and results.
  const prompted = /^(>>>|\.\.\.)(?: |$)/;
  const source = (pre) => {
    const text = block(pre);
    if (!text.startsWith(">>> ")) return text;
    const code = text.split("\n").filter((line) => prompted.test(line)).map((line) => line.replace(prompted, ""));
    return code.join("\n").replace(/\n+$/, "");
  };

  // --- cells, and what each needs: lines like "0:1-3,7 2:1" (cell:lines), written by docs/_ext/slicing/slicer.py
  const cells = [...document.querySelectorAll("div.cell .cell_input pre")].map((pre) => ({ pre, box: pre.closest("div.cell") }));
  const needs = (document.getElementById("bptt-needs")?.dataset.needs ?? "").split("\n");
  const data = document.getElementById("bptt-live")?.dataset; // there is a Python for the browser
  const missing = (data?.missing ?? "").split("\n"); // which lacks these
  const before = (number) =>
    (needs[number] || "").split(" ").filter(Boolean).map((part) => {
      const [cell, runs] = part.split(":");
      const lines = block(cells[cell].pre).split("\n");
      return runs.split(",").map((run) => {
        const [first, last = first] = run.split("-");
        return lines.slice(first - 1, last).join("\n");
      }).join("\n");
    });
  const runnable = (number) => [...before(number), block(cells[number].pre)].join("\n\n") + "\n";

  const make = (tag, properties, ...inner) => {
    const it = Object.assign(document.createElement(tag), properties);
    it.append(...inner);
    return it;
  };

  // --- the clipboard; a page from a file may have none of its own
  const copy = async (text) => {
    if (navigator.clipboard && window.isSecureContext) {
      try {
        return await navigator.clipboard.writeText(text);
      } catch { /* refused: the old way may still do */ }
    }
    const focused = document.activeElement;
    const area = make("textarea", { value: text, readOnly: true, className: "copy-source" });
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus({ preventScroll: true });
    if (!done) throw new Error("the browser refused to copy");
  };

  // --- what has happened, for those who do not see the button change
  const status = make("div", { className: "hidden-heading" });
  status.setAttribute("role", "status");
  document.body.append(status);
  const say = (words) => {
    status.textContent = "";
    setTimeout(() => (status.textContent = words), 30); // said again even if it is the same
  };

  const button = (words, name, act) => {
    const it = make("button", { type: "button" }, words);
    if (name) it.setAttribute("aria-label", name);
    it.addEventListener("click", act);
    return it;
  };
  const copier = (words, name, text) => {
    let back = 0;
    const it = button(words, name, async () => {
      let done = "Copied";
      try {
        await copy(text());
      } catch {
        done = "Not copied: the browser refused";
      }
      say(done);
      it.style.minWidth = `${it.offsetWidth}px`;
      it.textContent = done;
      clearTimeout(back);
      back = setTimeout(() => (it.textContent = words), 2000);
    });
    return it;
  };
  const bar = (pre, ...buttons) => {
    const it = make("div", { className: "code-bar" }, ...buttons);
    pre.after(it);
    return it;
  };

  // --- live cells: the rest of them, live.js, comes with the first press
  const base = document.currentScript.src;
  let live = null;
  const load = () => {
    live ??= new Promise((resolve, reject) => {
      const onerror = () => reject(new Error("live.js could not be loaded"));
      document.head.append(make("script", { src: new URL("live.js", base), onload: resolve, onerror }));
    });
    return live;
  };
  // In a tab that has run Python, the next page's starts by itself: whoever ran one cell runs another.
  const early = () => { try { return sessionStorage.getItem("bptt-live"); } catch { return null; } };
  if (data && early()) addEventListener("load", () => load().then(() => window.bptt.live.prepare(), () => { live = null; }));

  const press = (cell, what) => async ({ currentTarget: pressed }) => {
    const words = pressed.textContent;
    if (!window.bptt.live) pressed.textContent = "Starting"; // at once, whatever has to come first
    try {
      await load();
    } catch (error) {
      live = null;
      return say(`${error.message}: is there a network?`);
    } finally {
      pressed.textContent = words;
    }
    window.bptt.live[what](cell);
  };

  cells.forEach((cell, number) => {
    const name = `cell ${number + 1}`;
    const buttons = [];
    if (data && !missing[number]) {
      cell.run = button("Run", `Run ${name}`, press(cell, "run"));
      cell.edit = button("Edit", `Edit ${name}`, press(cell, "edit"));
      buttons.push(cell.run, cell.edit);
    } else if (data) {
      const words = `Runs on your machine, not in the browser: needs ${missing[number]}`;
      buttons.push(make("span", { className: "code-note" }, words));
    }
    buttons.push(copier("Copy", `Copy ${name}`, () => source(cell.pre) + "\n"));
    if (needs[number]) {
      buttons.push(copier("Copy with setup", `Copy with setup: ${name} and the lines above that it needs`, () => runnable(number)));
    }
    cell.bar = bar(cell.pre, ...buttons);
    cell.bar.dataset.cell = number + 1; // as errors and Run call it
  });
  const others = "div.library-code pre, article div[class*=highlight-] pre";
  for (const pre of document.querySelectorAll(others)) {
    if (pre.closest("div.cell") || pre.nextElementSibling?.className === "code-bar") continue;
    bar(pre, copier("Copy", "Copy this code", () => source(pre) + "\n"));
  }
  window.bptt = { cells, needs, block, source, runnable, make, button, say, load }; // for live.js, and for tests
})();
