// Bundle the page into ../page/: one classic script, one stylesheet, no names of this machine in them.
// `node build.mjs DIR` writes elsewhere: how the test compares.
import { copyFile, mkdir } from "node:fs/promises";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const target = resolve(process.argv[2] ?? join(here, "..", "page"));
await mkdir(target, { recursive: true });
await build({
  absWorkingDir: here,
  entryPoints: { explorer: "src/main.tsx" },
  outdir: target,
  bundle: true,
  minify: true,
  format: "iife",
  target: ["chrome105", "firefox121", "safari16"],
  charset: "utf8",
  legalComments: "none", // all licences stand in NOTICE.md
  jsx: "automatic",
  jsxImportSource: "preact",
  logLevel: "warning",
});
await build({
  absWorkingDir: here,
  entryPoints: { explorer: "src/page.css" },
  outdir: target,
  bundle: true,
  minify: true,
  charset: "utf8",
  logLevel: "warning",
});
await copyFile(join(here, "index.html"), join(target, "index.html"));
