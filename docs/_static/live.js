// Run, edit, reset and stop the cells of a page, in the reader's browser. Loaded by copy.js at the first press of a
// button; Python itself (docs/_static/live/worker.mjs) comes with the first Run. The built outputs stay until then.
"use strict";
(() => {
  const { cells, say, runnable } = window.bptt;
  const base = document.currentScript.src;
  let worker = null, ready = false, serial = 0;
  const waiting = new Map();

  const tell = (cell, words, spoken = true) => {
    cell.status.textContent = words;
    if (spoken) say(words);
  };
  const source = (cell) => (cell.area ? cell.area.value : window.bptt.block(cell.pre));

  // --- the worker
  function start() {
    worker = new Worker(new URL("live/worker.mjs", base), { type: "module" });
    worker.onmessage = ({ data }) => take[data.type]?.(data);
    worker.onerror = (event) => end(`Python could not start: ${event.message || "its worker was refused"}.`);
  }
  const take = {
    progress({ loaded, total }) {
      if (ready || !total) return;
      const mb = (bytes) => (bytes / 1e6).toFixed(0);
      for (const { cell } of waiting.values()) {
        cell.progress.hidden = false;
        cell.progress.value = Math.min(loaded / total, 1);
        tell(cell, `Loading Python, once a page: ${mb(Math.min(loaded, total))} of ${mb(total)} MB`, false);
      }
    },
    ready() {
      ready = true;
      for (const { cell } of waiting.values()) cell.progress.hidden = true;
      const first = [...waiting.values()][0];
      if (first) tell(first.cell, "Running", false);
    },
    failed({ error }) { end(`Python could not start: ${error}.`); },
    out({ id, kind, text }) { if (waiting.has(id)) show(waiting.get(id).cell, kind, text); },
    done({ id, ok, error }) {
      const { cell, resolve, began } = waiting.get(id) ?? {};
      if (!cell) return;
      waiting.delete(id);
      if (!ok) show(cell, "traceback", error);
      cell.ran = ok || fails(cell);
      finish(cell, ok ? `Ran in your browser, ${((performance.now() - began) / 1000).toFixed(1)} s` : "Stopped at an error", ok ? "done" : "error");
      resolve(ok);
    },
  };
  function end(words) { // all that the page's Python held is gone
    worker?.terminate();
    worker = null;
    ready = false;
    for (const cell of cells) cell.ran = false;
    const stopped = [...waiting.values()];
    waiting.clear();
    for (const { cell, resolve } of stopped) {
      if (!cell.out.childElementCount) restore(cell);
      finish(cell, words, "error");
      resolve(false);
    }
  }

  // --- outputs, in the form of the built ones
  function show(cell, kind, text) {
    if (cell.shown) cell.shown.hidden = true;
    if (kind === "figure") {
      const box = document.createElement("div");
      box.className = "output text_html";
      const drawn = new DOMParser().parseFromString(text, "text/html");
      drawn.querySelectorAll("script").forEach((script) => script.remove());
      box.append(...drawn.body.childNodes);
      cell.out.append(box);
      return;
    }
    const name = kind === "stdout" ? "stream" : kind;
    let box = cell.out.lastElementChild;
    if (!box?.classList.contains(name)) {
      box = document.createElement("div");
      box.className = `output ${name} notranslate`;
      const inner = document.createElement("div"), pre = document.createElement("pre");
      inner.className = "highlight";
      pre.tabIndex = 0;
      inner.append(pre);
      box.append(inner);
      cell.out.append(box);
    }
    const pre = box.querySelector("pre");
    pre.textContent = overwritten(pre.textContent + text);
  }
  // A progress bar begins its line again with a carriage return.
  const overwritten = (text) => (text.includes("\r") ? text.split("\n").map((line) => line.replace(/^.*\r(?=.)/, "")).join("\n") : text);
  function restore(cell) {
    cell.out.replaceChildren();
    if (cell.shown) cell.shown.hidden = false;
  }
  function finish(cell, words, state) {
    cell.progress.hidden = true;
    cell.box.dataset.state = state;
    tell(cell, words);
    buttons(cell);
  }
  function buttons(cell) {
    const running = cell.box.dataset.state === "running";
    cell.run.hidden = running;
    cell.stop.hidden = !running;
    cell.edit.hidden = Boolean(cell.area);
    cell.reset.hidden = running || !(cell.area || cell.out.childElementCount);
  }

  // --- running
  function runOne(cell) {
    cell.out.replaceChildren();
    cell.box.dataset.state = "running";
    tell(cell, ready ? "Running" : "Loading Python, once a page", false);
    const hidden = document.activeElement === cell.run;
    buttons(cell);
    if (hidden) cell.stop.focus();
    return new Promise((resolve) => {
      const id = ++serial;
      waiting.set(id, { cell, resolve, began: performance.now() });
      const alt = cell.area ? "Figure drawn by the edited code" : cell.box.querySelector(".cell_output svg[aria-label]")?.getAttribute("aria-label");
      worker.postMessage({ id, code: source(cell), name: `cell ${cell.number + 1}`, alt: alt ?? "Figure drawn by this cell" });
    });
  }
  const fails = (cell) => Boolean(cell.shown?.querySelector(".traceback")); // it is meant to, as built
  const from = (number) => new Set((window.bptt.needs[number] || "").split(" ").filter(Boolean).map((part) => Number(part.split(":")[0])));
  async function run(cell) {
    if (location.protocol === "file:") {
      return tell(cell, "This page was opened from a file, where browsers run no Python. Serve the site's folder, for instance with python -m http.server, and open it there.");
    }
    if (!window.Worker || !window.WebAssembly) return tell(cell, "This browser cannot run Python: it has no WebAssembly.");
    if (waiting.size) return tell(cell, "Another cell is running. Stop it first, or wait.");
    const had = document.activeElement;
    if (!worker) start();
    const earlier = from(cell.number);
    const edited = cells.some((c) => c.number < cell.number && c.area);
    for (const before of cells.slice(0, cell.number)) {
      if (before.ran || !(earlier.has(before.number) || (edited && before.area))) continue;
      tell(cell, `Running cell ${before.number + 1} first`, false);
      if (!(await runOne(before)) && !fails(before)) {
        return tell(cell, `Not run: cell ${before.number + 1}, which comes first, stopped.`);
      }
    }
    await runOne(cell);
    if (had === cell.run || document.activeElement === document.body) cell.run.focus({ preventScroll: true });
  }

  // --- editing: a text field in place of the colored code
  function edit(cell) {
    const area = document.createElement("textarea");
    area.className = "live-area";
    area.value = source(cell);
    area.spellcheck = false;
    area.setAttribute("autocapitalize", "off");
    area.setAttribute("aria-label", `Code of cell ${cell.number + 1}. Control and Enter runs it.`);
    const fit = () => (area.rows = area.value.split("\n").length + 1);
    area.addEventListener("input", () => {
      fit();
      for (const later of cells.slice(cell.number)) later.ran = false;
    });
    area.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.shiftKey)) {
        event.preventDefault();
        run(cell);
      }
    });
    fit();
    cell.pre.hidden = true;
    cell.pre.before(area);
    cell.area = area;
    buttons(cell);
    area.focus();
  }
  function reset(cell) {
    cell.area?.remove();
    if (cell.area) for (const later of cells.slice(cell.number)) later.ran = false;
    cell.area = null;
    cell.pre.hidden = false;
    restore(cell);
    delete cell.box.dataset.state;
    tell(cell, "As it was");
    buttons(cell);
    cell.edit.focus();
  }

  // --- the buttons that copy.js has made begin to work
  cells.forEach((cell, number) => {
    if (!cell.run) return;
    Object.assign(cell, { number, area: null, ran: false, shown: cell.box.querySelector(".cell_output") });
    cell.out = document.createElement("div");
    cell.out.className = "cell_output live-output";
    cell.box.append(cell.out);
    cell.status = document.createElement("span");
    cell.status.className = "live-status";
    cell.progress = document.createElement("progress");
    cell.progress.hidden = true;
    cell.progress.setAttribute("aria-label", "Loading Python");
    const name = `cell ${number + 1}`;
    cell.stop = window.bptt.button("Stop", `Stop ${name}`, () => end("Stopped. Python was ended, and with it all that the cells had computed; the next run begins afresh."));
    cell.reset = window.bptt.button("Reset", `Reset ${name}: its code and its output`, () => reset(cell));
    cell.bar.prepend(cell.status, cell.progress);
    cell.run.after(cell.stop);
    cell.edit.after(cell.reset);
    buttons(cell);
  });
  window.bptt.live = { run, edit, source, runnable };
})();
