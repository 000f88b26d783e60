// Runs write_mails.py in one of the Pythons of package.json: node write_mails.mjs py312 ROOT-OF-THE-SOURCES PACKAGES MESSAGES
import { readFileSync } from "node:fs";
const [, , which, root, packages, messages] = process.argv;
const { loadPyodide } = await import(`./node_modules/${which}/pyodide.mjs`);
const python = await loadPyodide();
python.FS.mkdirTree("/sources");
python.FS.mount(python.FS.filesystems.NODEFS, { root }, "/sources");
python.FS.mkdirTree("/packages");
python.FS.mount(python.FS.filesystems.NODEFS, { root: packages }, "/packages");
python.globals.set("given", readFileSync(messages, "utf-8"));
console.log(python.runPython(readFileSync(`${root}/tests/wires/pythons/write_mails.py`, "utf-8")));
