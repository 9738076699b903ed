// Run, edit, reset and stop the cells of a page, in the reader's browser. Loaded by copy.js at the first press of a
// button; Python itself (docs/_static/live/worker.mjs) comes with the first Run. The built outputs stay until then.
"use strict";
(() => {
  const { cells, make, say } = window.bptt;
  const base = document.currentScript.src;
  let worker = null, ready = false, serial = 0;
  let pressed = null, clock = 0; // the cell whose Run was pressed: what happens is said there, whichever cell runs
  let doing = "", fetching = "", since = 0, loading = 0; // what happens there, since when; milliseconds that loading took
  const waiting = new Map();
  const declared = (document.getElementById("bptt-live")?.dataset.packages ?? "").split("\n"); // those that each cell needs

  const needed = (number) => (declared[number] ?? "").split(" ").filter(Boolean);
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
      if (!pressed) return;
      pressed.progress.hidden = false;
      pressed.progress.value = Math.min(loaded / total, 1);
      fetching = `Loading Python, once a page: ${mb(Math.min(loaded, total))} of ${mb(total)} MB`;
      tell(pressed, fetching, false);
    },
    ready() {
      ready = true;
      try { sessionStorage.setItem("bptt-live", "yes"); } catch { /* the next page waits for its Run, then */ }
      if (pressed) pressed.progress.hidden = true;
    },
    loading({ names }) { load(`Loading ${names}`); },
    began({ id }) { // for the second time where a package came in between
      if (!waiting.has(id)) return;
      const now = performance.now(), { cell } = waiting.get(id);
      if (fetching) {
        loading += now - since;
        say("Running");
      }
      fetching = "";
      since = waiting.get(id).began = now;
      cell.out.replaceChildren();
    },
    failed({ error }) { end(`Python could not start: ${error}.`); },
    out({ id, kind, text }) { if (waiting.has(id)) show(waiting.get(id).cell, kind, text); },
    done({ id, ok, error }) {
      const { cell, resolve, began } = waiting.get(id) ?? {};
      if (!cell) return;
      waiting.delete(id);
      if (!ok) show(cell, "traceback", error);
      cell.ran = ok || fails(cell);
      const seconds = (ms) => `${(ms / 1000).toFixed(1)} s`;
      const after = loading && cell === pressed ? `, after ${seconds(loading)} of loading` : "";
      finish(cell, ok ? `Ran in your browser, ${seconds(performance.now() - began)}${after}` : "Stopped at an error", ok ? "done" : "error");
      cell.box.dispatchEvent(new CustomEvent("bptt-ran", { bubbles: true, detail: { cell, ok } }));
      resolve(ok);
    },
  };
  function load(words) {
    if (!fetching) since = performance.now();
    fetching = words;
    say(words);
  }
  function end(words) { // all that the page's Python held is gone
    worker?.terminate();
    worker = null;
    ready = false;
    fetching = "";
    for (const cell of cells) cell.ran = false;
    const stopped = [...waiting.values()];
    waiting.clear();
    for (const { cell, resolve } of stopped) {
      if (!cell.out.childElementCount) restore(cell);
      if (cell === pressed) finish(cell, words, "error");
      else finish(cell, "Stopped", "error", false);
      if (cell.area && !cell.out.childElementCount) stale(cell);
      resolve(false);
    }
    if (pressed && !stopped.some(({ cell }) => cell === pressed)) finish(pressed, words, "error");
  }

  // --- outputs, in the form of the built ones
  function show(cell, kind, text) {
    if (cell.shown) cell.shown.hidden = true;
    if (kind === "figure") {
      const drawn = new DOMParser().parseFromString(text, "text/html");
      drawn.querySelectorAll("script").forEach((script) => script.remove());
      const box = make("div", { className: "output text_html" }, ...drawn.body.childNodes);
      cell.out.append(box);
      return shown(box);
    }
    const name = kind === "stdout" ? "stream" : kind;
    let box = cell.out.lastElementChild;
    if (!box?.classList.contains(name)) {
      box = make("div", { className: `output ${name} notranslate` }, make("div", { className: "highlight" }, make("pre")));
      cell.out.append(box);
    }
    const pre = box.querySelector("pre");
    pre.textContent = overwritten(pre.textContent + text);
    shown(box);
  }
  const shown = (box) => box.dispatchEvent(new CustomEvent("bptt-shown", { bubbles: true })); // for scrolling.js
  // A progress bar begins its line again with a carriage return.
  const overwritten = (text) => (text.includes("\r") ? text.split("\n").map((line) => line.replace(/^.*\r(?=.)/, "")).join("\n") : text);
  function restore(cell) {
    cell.out.replaceChildren();
    if (cell.shown) cell.shown.hidden = false;
  }
  function finish(cell, words, state, spoken = true) {
    cell.progress.hidden = true;
    cell.box.dataset.state = state;
    tell(cell, words, spoken);
    buttons(cell);
  }
  function stale(cell) { // what stands below the code is not of this code
    if (cell.shown && !cell.shown.hidden ? cell.area : cell.out.childElementCount) cell.box.dataset.stale = "";
  }
  function changed(number) { // all that was computed from a cell's code is from before
    for (const later of cells.slice(number)) {
      later.ran = false;
      if (later.run) stale(later);
    }
  }
  function buttons(cell) {
    const running = cell.box.dataset.state === "running";
    cell.run.hidden = running;
    cell.stop.hidden = !running;
    cell.edit.hidden = Boolean(cell.area);
    cell.reset.hidden = running || !(cell.area || cell.out.childElementCount);
  }

  // --- running
  function begin(cell) {
    const focused = document.activeElement === cell.run;
    cell.box.dataset.state = "running";
    buttons(cell);
    if (focused) cell.stop.focus();
  }
  function runOne(cell) {
    cell.out.replaceChildren();
    delete cell.box.dataset.stale;
    begin(cell);
    cell.box.dispatchEvent(new CustomEvent("bptt-runs", { bubbles: true }));
    return new Promise((resolve) => {
      const id = ++serial;
      waiting.set(id, { cell, resolve });
      const alt = cell.area ? "Figure drawn by the edited code" : cell.box.querySelector(".cell_output svg[aria-label]")?.getAttribute("aria-label");
      worker.postMessage({ id, packages: needed(cell.number), code: source(cell), name: `cell ${cell.number + 1}`, alt: alt ?? "Figure drawn by this cell" });
    });
  }
  function prepare() { // before any press: nothing is said of it, and a failure is met again at the press
    if (worker || location.protocol === "file:") return;
    start();
    worker.postMessage({ id: 0, packages: needed(0), code: "__import__('bptt') and None", name: "before the first cell" });
  }
  const fails = (cell) => Boolean(cell.shown?.querySelector(".traceback")); // it is meant to, as built
  const from = (number, all = new Set()) => { // all cells that a cell needs: each runs whole, and so needs its own
    for (const part of (window.bptt.needs[number] || "").split(" ").filter(Boolean)) {
      const earlier = Number(part.split(":")[0]);
      if (!all.has(earlier)) from(earlier, all.add(earlier));
    }
    return all;
  };
  function fromFile(cell) { // where there is no Python, and no editor either
    const file = location.protocol === "file:";
    if (file) tell(cell, "This page was opened from a file, where browsers run no Python. Serve the site's folder, for instance with python -m http.server, and open it there.");
    return file;
  }
  async function run(cell) {
    if (fromFile(cell)) return;
    if (!window.Worker || !window.WebAssembly) return tell(cell, "This browser cannot run Python: it has no WebAssembly.");
    if (pressed) return tell(cell, `Cell ${pressed.number + 1} is running. Stop it first, or wait.`);
    const had = document.activeElement, earlier = from(cell.number);
    const edited = cells.some((c) => c.number < cell.number && c.area);
    const first = cells.slice(0, cell.number).filter((c) => !c.ran && (earlier.has(c.number) || (edited && c.area)));
    pressed = cell;
    begin(cell);
    if (!worker) start();
    const python = worker;
    const said = () => {
      const seconds = Math.floor((performance.now() - since) / 1000);
      tell(cell, `${fetching || doing}${seconds && ready ? `, ${seconds} s` : ""}`, false); // till then the worker says how far it is
    };
    since = performance.now();
    loading = 0;
    if (ready) say("Running");
    else load("Loading Python, once a page");
    clock = setInterval(said, 250);
    try {
      for (const [k, before] of first.entries()) {
        doing = `Running cell ${before.number + 1} first, ${k + 1} of ${first.length} above`;
        said();
        if ((await runOne(before)) || fails(before)) continue;
        if (worker === python) finish(cell, `Not run: cell ${before.number + 1}, which comes first, stopped.`, "error");
        return;
      }
      doing = "Running";
      said();
      await runOne(cell);
    } finally {
      clearInterval(clock);
      pressed = null;
    }
    if (had === cell.run || document.activeElement === document.body) cell.run.focus({ preventScroll: true });
  }

  // --- editing: prism-code-editor, a text field below colored code, comes with the first Edit
  let editing = null;
  function loadEditor() {
    const from = (name) => new URL(`prism-code-editor/${name}`, base).href;
    const styled = new Promise((resolve, reject) => {
      document.head.append(make("link", { rel: "stylesheet", href: from("layout.css"), onload: resolve, onerror: reject }));
    });
    const modules = ["index", "extensions/commands", "languages/python", "prism/languages/python"].map((name) => import(from(`${name}.js`)));
    return Promise.all([...modules, styled]);
  }
  async function edit(cell, code) {
    if (fromFile(cell)) return;
    try {
      editing ??= loadEditor();
      await editing;
    } catch {
      editing = null;
      return tell(cell, "The editor could not be loaded: is there a network?");
    }
    if (cell.area) return;
    const [{ createEditor }, { defaultCommands, setIgnoreTab }] = await editing;
    const options = { language: "python", tabSize: 4, lineNumbers: false, value: code ?? source(cell), class: "live-editor" };
    const editor = createEditor(null, options, defaultCommands());
    const { textarea: area, keyCommandMap: keys } = editor, newLine = keys.Enter;
    const typing = matchMedia("(hover: hover)").matches; // most who touch the screen have no keys
    area.classList.add("live-area");
    area.setAttribute("aria-label", `Code of cell ${cell.number + 1}.${typing ? " Control and Enter runs it. Tab indents; Escape and then Tab leaves the field." : ""}`);
    keys.Enter = (event, ...place) => (event.ctrlKey || event.metaKey || event.shiftKey ? (run(cell), true) : newLine(event, ...place));
    keys.Escape = () => void setIgnoreTab(true);
    area.addEventListener("focus", () => setIgnoreTab(false));
    area.addEventListener("input", () => {
      setIgnoreTab(false);
      changed(cell.number);
    });
    cell.pre.hidden = true;
    cell.pre.before(editor.container);
    Object.assign(cell, { area, editor });
    buttons(cell);
    if (code !== undefined) return stale(cell);
    if (cell.box.dataset.state !== "running") tell(cell, typing ? "Ctrl+Enter runs; Tab indents; Esc, then Tab leaves" : "Run runs what stands here", false);
    area.focus();
  }
  function reset(cell) {
    cell.editor?.container.remove();
    cell.pre.style.height = ""; // of its editor, where the page began with one (exercises.js)
    const edited = Boolean(cell.area);
    cell.area = cell.editor = null;
    if (edited) changed(cell.number);
    cell.pre.hidden = false;
    restore(cell);
    delete cell.box.dataset.state;
    delete cell.box.dataset.stale;
    tell(cell, "As it was");
    buttons(cell);
    cell.box.dispatchEvent(new CustomEvent("bptt-reset", { bubbles: true, detail: { cell } }));
    cell.edit.focus();
  }

  // --- the buttons that copy.js has made begin to work
  cells.forEach((cell, number) => {
    if (!cell.run) return;
    Object.assign(cell, { number, area: null, ran: false, shown: cell.box.querySelector(".cell_output") });
    cell.out = make("div", { className: "cell_output live-output" });
    cell.box.insertBefore(cell.out, cell.box.querySelector(":scope > .exercise-built")); // before what the build got, where that is folded
    cell.status = make("span", { className: "live-status" });
    cell.progress = make("progress", { hidden: true });
    cell.progress.setAttribute("aria-label", "Loading Python");
    const name = `cell ${number + 1}`;
    cell.stop = window.bptt.button("Stop", `Stop ${name}`, () => end("Stopped. Python was ended, and with it all that the cells had computed; the next run begins afresh."));
    cell.reset = window.bptt.button("Reset", `Reset ${name}: its code and its output`, () => reset(cell));
    cell.run.before(cell.status, cell.progress);
    cell.run.after(cell.stop);
    cell.edit.after(cell.reset);
    buttons(cell);
  });
  window.bptt.live = { prepare, run, edit, reset, source };
})();
