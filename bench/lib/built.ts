/**
 * Modules of the built plugin: what is measured is what is shipped. Needs
 * `npm run build` first.
 */
type Modules = {
  "config/config": typeof import("../../src/config/config.ts");
  "run/isolated": typeof import("../../src/run/isolated.ts");
  "ledger/paths": typeof import("../../src/ledger/paths.ts");
  "run/quiet": typeof import("../../src/run/quiet.ts");
  "run/run": typeof import("../../src/run/run.ts");
  "upload/body": typeof import("../../src/upload/body.ts");
  "upload/compressor": typeof import("../../src/upload/compressor.ts");
  "lines/entry": typeof import("../../src/lines/entry.ts");
  "upload/envelope": typeof import("../../src/upload/envelope.ts");
  "lines/guard": typeof import("../../src/lines/guard.ts");
};

export function builtUrl(module: string): string {
  return new URL(`../../dist/${module}.js`, import.meta.url).href;
}

export async function built<Name extends keyof Modules>(name: Name): Promise<Modules[Name]> {
  return (await import(builtUrl(name))) as Modules[Name];
}
