// Builds monitor/web/static: our modules bundled with what they use, the map's worker, the atlas and all licences.
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";

import { build } from "esbuild";

import { writeAtlas } from "./atlas.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const root = resolve(here, "../../..");
const out = resolve(process.argv[2] ?? join(here, "../static"));
const require = createRequire(import.meta.url);

rmSync(out, { recursive: true, force: true });
mkdirSync(join(out, "atlas"), { recursive: true });

const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ["page.js", "map.js", "chart.js", "draw.js", "compare.js", "locate.js", "fonts.css", "vendor.css"].map((name) => join(here, name)),
  outdir: out,
  bundle: true,
  splitting: true,
  format: "esm",
  target: "es2022",
  minify: true,
  metafile: true,
  legalComments: "none", // THIRD_PARTY.txt has every licence whole
  chunkNames: "chunk-[hash]",
  assetNames: "[name]-[hash]",
  loader: { ".woff2": "file" },
  logLevel: "warning",
});
// The map's worker is a module of its own: a policy without blob: could not start it otherwise.
cpSync(require.resolve("maplibre-gl/dist/maplibre-gl-worker.mjs"), join(out, "map-worker.js"));
const tiles = writeAtlas(join(out, "atlas"));
writeFileSync(join(out, "THIRD_PARTY.txt"), licences(shipped(metafile)));
console.log(`built the page into ${relative(process.cwd(), out) || out} (${tiles} map tiles)`);

/** Name the packages of which something is in the output. */
function shipped({ inputs }) {
  const paths = Object.keys(inputs).filter((path) => path.includes("node_modules/"));
  const packages = paths.map((path) => path.split("node_modules/").at(-1).split("/"));
  const names = packages.map(([first, second]) => (first.startsWith("@") ? `${first}/${second}` : first));
  // MapLibre comes as one file that holds what it depends on.
  const inside = Object.keys(read("maplibre-gl").dependencies);
  return [...new Set([...names, ...inside, "world-atlas"])].sort();
}

function folder(name) {
  return join(root, "node_modules", name);
}

function read(name) {
  return JSON.parse(readFileSync(join(folder(name), "package.json"), "utf8"));
}

function licences(names) {
  const head =
    "The page of sitewatch contains these packages, each under its own licence.\n" +
    "The map is made with Natural Earth, which is in the public domain (naturalearthdata.com).\n";
  return [head, ...names.map(licence)].join(`\n${"-".repeat(78)}\n`);
}

function licence(name) {
  const { version, license } = read(name);
  const texts = readdirSync(folder(name)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  const said = texts.map((file) => readFileSync(join(folder(name), file), "utf8").trim());
  return [`${name} ${version} (${license ?? "see below"})\n`, ...said].join("\n") + "\n";
}
