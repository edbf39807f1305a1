/**
 * Modules of the built plugin: what is measured is what is shipped. Needs
 * `npm run build` first.
 */
type Modules = {
  config: typeof import("../../src/config.ts");
  isolated: typeof import("../../src/isolated.ts");
  "ledger/paths": typeof import("../../src/ledger/paths.ts");
  quiet: typeof import("../../src/quiet.ts");
  run: typeof import("../../src/run.ts");
  "upload/body": typeof import("../../src/upload/body.ts");
  "upload/compressor": typeof import("../../src/upload/compressor.ts");
  "upload/entry": typeof import("../../src/upload/entry.ts");
  "upload/envelope": typeof import("../../src/upload/envelope.ts");
  "upload/guard": typeof import("../../src/upload/guard.ts");
};

export function builtUrl(module: string): string {
  return new URL(`../../dist/${module}.js`, import.meta.url).href;
}

export async function built<Name extends keyof Modules>(name: Name): Promise<Modules[Name]> {
  return (await import(builtUrl(name))) as Modules[Name];
}
