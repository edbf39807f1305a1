/** What a host pays for having the plugin, before anything is uploaded. */
import "../lib/host-builtins.ts";
import { registerHooks } from "node:module";
import { builtUrl } from "../lib/built.ts";
import { programResult } from "../lib/child.ts";

export interface LoadResult {
  readonly importMs: number;
  readonly registerMs: number;
  /** Modules that were asked for, as they were asked for. */
  readonly modules: readonly string[];
  /** The same for what a run needs in the Gateway's own thread, besides. */
  readonly run: { readonly importMs: number; readonly bytes: number; readonly modules: number };
}

const modules: string[] = [];
registerHooks({
  resolve(specifier, context, next) {
    modules.push(specifier);
    return next(specifier, context);
  },
});
const start = performance.now();
const { default: plugin } = await import(builtUrl("index"));
const imported = performance.now();
plugin.register({
  registrationMode: "full",
  pluginConfig: undefined,
  registerCli: () => undefined,
  registerService: () => undefined,
});
const registered = performance.now();
const withPlugin = [...modules];

globalThis.gc?.();
const memory = process.memoryUsage().rss;
const beforeRun = performance.now();
for (const module of ["openclaw/gateway", "run/idle-cache", "run/worker-runner"])
  await import(builtUrl(module));
programResult({
  importMs: imported - start,
  registerMs: registered - imported,
  modules: withPlugin,
  run: {
    importMs: performance.now() - beforeRun,
    bytes: process.memoryUsage().rss - memory,
    modules: modules.length - withPlugin.length,
  },
} satisfies LoadResult);
