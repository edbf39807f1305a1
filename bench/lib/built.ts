/**
 * Modules of the built plugin: what is measured is what is shipped. Needs
 * `npm run build` first.
 */
type Modules = {
  "config/config": typeof import("../../src/config/config.ts");
  "run/worker-runner": typeof import("../../src/run/worker-runner.ts");
  "ledger/paths": typeof import("../../src/ledger/paths.ts");
  "run/idle-cache": typeof import("../../src/run/idle-cache.ts");
  "run/dry-run": typeof import("../../src/run/dry-run.ts");
  "run/run": typeof import("../../src/run/run.ts");
  "upload/body": typeof import("../../src/upload/body.ts");
  "upload/compressor": typeof import("../../src/upload/compressor.ts");
  "lines/entry": typeof import("../../src/lines/entry.ts");
  "upload/envelope": typeof import("../../src/upload/envelope.ts");
  "redaction/redactor": typeof import("../../src/redaction/redactor.ts");
  "lines/line-splitter": typeof import("../../src/lines/line-splitter.ts");
};

export function builtUrl(module: string): string {
  return new URL(`../../dist/${module}.js`, import.meta.url).href;
}

export async function built<Name extends keyof Modules>(name: Name): Promise<Modules[Name]> {
  return (await import(builtUrl(name))) as Modules[Name];
}
