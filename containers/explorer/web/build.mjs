// Bundle the page into ../page/: one classic script with the licences of what it holds, one stylesheet.
// `node build.mjs DIR` writes elsewhere: so the test compares a fresh bundle with the one that is committed.
import { copyFile, mkdir, readFile, readdir, writeFile } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = resolve(process.argv[2] ?? join(here, "..", "page"));
const usual = {
  absWorkingDir: here, outdir: target, bundle: true, minify: true, charset: "utf8", logLevel: "warning", write: false,
};

/** Return the texts of the licences of all packages of the lock that ship; some lie inside others, already bundled. */
async function licences() {
  const { packages } = JSON.parse(await readFile(join(here, "package-lock.json"), "utf8"));
  const folders = Object.keys(packages).filter((folder) => folder && !packages[folder].dev).sort();
  const texts = folders.map(async (folder) => {
    const file = (await readdir(join(here, folder))).find((each) => /^licen[cs]e/i.test(each));
    if (!file) throw new Error(`${folder}: there is no licence to pass on`);
    const name = folder.slice(folder.lastIndexOf("node_modules/") + "node_modules/".length);
    return `${name} ${packages[folder].version}\n\n${(await readFile(join(here, folder, file), "utf8")).replace(/\r/g, "").trim()}`;
  });
  return (await Promise.all(texts)).join(`\n\n${"-".repeat(72)}\n\n`).replaceAll("*/", "* /");
}

const script = await build({
  ...usual, entryPoints: { explorer: "src/main.tsx" }, format: "iife", legalComments: "none",
  target: ["chrome105", "firefox121", "safari16"], jsx: "automatic", jsxImportSource: "preact",
});
const style = await build({ ...usual, entryPoints: { explorer: "src/page.css" } });

await mkdir(target, { recursive: true });
const head = `/*! The plate explorer of Platewright. It holds these packages, under their licences:\n\n${await licences()}\n*/\n`;
await writeFile(join(target, "explorer.js"), head + script.outputFiles[0].text);
await writeFile(join(target, "explorer.css"), style.outputFiles[0].text);
await copyFile(join(here, "index.html"), join(target, "index.html"));
