// The Python of one page. It gets {id, code, name, alt, packages}, and answers with
//   {type: "progress", loaded, total}, {type: "ready"}, {type: "failed", error},
//   {type: "began", id} as often as it begins to run the code, {type: "loading", id, names},
//   {type: "out", id, kind, text} and {type: "done", id, ok, error}.
const here = new URL("../pyodide/", import.meta.url).href;
const plain = globalThis.fetch.bind(globalThis);

// --- loading, counted. What changes under one name, the library's wheel and the list, is asked for anew each time.
let loaded = 0, total = 0, sizes = null;
globalThis.fetch = async (what, options) => {
  const url = String(what.url ?? what);
  const fresh = /pyodide-lock\.json|\/bptt-[^/]*\.whl|sizes\.json/.test(url);
  const answer = await plain(what, fresh ? { ...options, cache: "no-cache" } : options);
  if (!answer.ok) failed(new Error(`${url.split("/").pop()} could not be loaded (HTTP ${answer.status})`));
  if (!answer.body || !answer.ok) return answer;
  const count = new TransformStream({
    transform(chunk, out) {
      loaded += chunk.length;
      postMessage({ type: "progress", loaded, total });
      out.enqueue(chunk);
    },
  });
  const copy = new Response(answer.body.pipeThrough(count), answer);
  Object.defineProperty(copy, "url", { value: answer.url });
  return copy;
};
const get = (name) => fetch(new URL(name, import.meta.url));

// --- which packages hold some modules, or what some code imports
let lock = null;
const holding = (modules) => Object.keys(lock.packages).filter((name) => lock.packages[name].imports.some((m) => modules.includes(m)));
const wanted = (code) => holding([...code.matchAll(/^[ \t]*(?:import|from)[ \t]+(\w+)/gm)].map((found) => found[1]));
const closure = (names) => {
  const all = new Set();
  const add = (name) => all.has(name) || (all.add(name), lock.packages[name].depends.forEach(add));
  names.forEach(add);
  return [...all];
};

// loadPyodide() does not settle where WebAssembly or a file is refused: look first, and report what nobody caught.
addEventListener("unhandledrejection", (event) => failed(event.reason));
addEventListener("error", (event) => failed(event.error ?? event.message));
const failed = (error) => postMessage({ type: "failed", error: String(error?.message ?? error) });

const boot = async (code, named) => {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
  } catch {
    throw new Error("this browser, or a rule of this site, refuses WebAssembly, in which Python runs here");
  }
  [lock, sizes] = await Promise.all(["pyodide-lock.json", "sizes.json"].map(async (n) => (await get(`../pyodide/${n}`)).json()));
  const packages = closure(["numpy", "bptt", ...named, ...wanted(code)]);
  const files = packages.map((name) => lock.packages[name].file_name);
  total = ["pyodide.asm.mjs", "pyodide.asm.wasm", "python_stdlib.zip", ...files].reduce((sum, f) => sum + (sizes[f] ?? 0), 0);
  const texts = Promise.all(["cell.py", "figures.py", "matplotlibrc"].map(async (n) => (await get(n)).text()));
  const { loadPyodide } = await import(`${here}pyodide.mjs`);
  const env = { MATPLOTLIBRC: "/cells/matplotlibrc", MPLBACKEND: "module://cell_backend",
    PYTHONHASHSEED: "0", TQDM_BAR_FORMAT: "{desc}  {n_fmt}/{total_fmt}" };
  const py = await loadPyodide({ indexURL: here, env, packages });
  const missing = packages.filter((name) => !(name in py.loadedPackages));
  if (missing.length) throw new Error(`${missing.join(", ")} could not be loaded`);
  const [cell, figures, style] = await texts;
  py.FS.mkdir("/cells");
  py.FS.writeFile("/cells/matplotlibrc", style);
  py.FS.writeFile("/cells/figures.py", figures);
  py.FS.writeFile("/cells/cell.py", cell);
  const module = py.runPython("import sys; sys.path.insert(0, '/cells'); import cell; cell");
  return { py, module };
};

let python = null;
const quiet = { messageCallback() {}, errorCallback() {} };
const run = async ({ id, code, name, alt, packages }) => {
  python ??= boot(code, packages);
  const { py, module } = await python;
  postMessage({ type: "ready" });
  const load = async (names) => { // and say whether there was anything to load
    const more = closure(names).filter((n) => !(n in py.loadedPackages));
    if (!more.length) return false;
    postMessage({ type: "loading", id, names: more.join(", ") });
    await py.loadPackage(more, quiet);
    const missing = more.filter((n) => !(n in py.loadedPackages));
    if (missing.length) throw new Error(`${missing.join(", ")} could not be loaded`);
    return true;
  };
  await load([...packages, ...wanted(code)]);
  const emit = (kind, text) => postMessage({ type: "out", id, kind, text });
  let error = "";
  do { // once more with a package that is on the site, but is imported where nobody could see it
    postMessage({ type: "began", id });
    error = module.run(code, name, alt, emit);
  } while (error && (await load(holding([module.lacked()]))));
  postMessage({ type: "done", id, ok: !error, error });
};
let line = Promise.resolve();
onmessage = ({ data }) => {
  line = line.then(() => run(data)).catch(failed);
};
