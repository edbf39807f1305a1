/** What a host pays for having the plugin, before anything is uploaded. */
import { registerHooks } from "node:module";
import { builtUrl } from "../lib/built.ts";
import { programResult } from "../lib/child.ts";

export interface LoadResult {
  readonly importMs: number;
  readonly registerMs: number;
  /** Modules that were asked for, as they were asked for. */
  readonly modules: readonly string[];
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
programResult({
  importMs: imported - start,
  registerMs: registered - imported,
  modules,
} satisfies LoadResult);
