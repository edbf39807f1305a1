/**
 * `npm run build`: makes `dist` of `src`. Loading a module takes about a millisecond whatever its size, and a
 * command needs more than a hundred, so most of them go into a few chunks. Every module keeps a file
 * of its own name, which gives what is in its chunk: what tests load by path is what is shipped.
 */
import { globSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import { build } from "rolldown";
import { chunkNames } from "./build/chunks.ts";

const ROOT = resolve(import.meta.dirname, "..");
const SRC = join(ROOT, "src");
const DIST = join(ROOT, "dist");

/** Package and builtin names; what the compiler itself adds has a name that begins with a null byte. */
const PACKAGES = /^(?!\.|\/|\0|@oxc-project\/|[A-Za-z]:\\)/;

const modules = globSync("**/*.ts", { cwd: SRC, exclude: ["**/*.d.ts"] })
  .map((path) => path.replaceAll("\\", "/").replace(/\.ts$/, ""))
  .sort();

rmSync(DIST, { recursive: true, force: true });
await build({
  cwd: ROOT,
  input: Object.fromEntries(modules.map((module) => [module, join(SRC, `${module}.ts`)])),
  platform: "node",
  external: PACKAGES,
  tsconfig: join(ROOT, "tsconfig.json"),
  transform: { target: "node22.19" },
  preserveEntrySignatures: "allow-extension",
  // Of the ways to a module, many are static and dynamic at once: it is in a chunk that is there already.
  checks: { ineffectiveDynamicImport: false },
  output: {
    dir: DIST,
    format: "esm",
    entryFileNames: "[name].js",
    chunkFileNames: "chunks/[name].js",
    comments: false,
    codeSplitting: {
      includeDependenciesRecursively: false,
      groups: [{ name: chunkNames(SRC), debugName: "chunks" }],
    },
  },
});
