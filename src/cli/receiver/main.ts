#!/usr/bin/env node
import { runCommand } from "./program.ts";

const abort = new AbortController();
for (const signal of ["SIGINT", "SIGTERM"] as const) {
  process.once(signal, () => abort.abort(new Error("interrupted")));
}

process.exitCode = await runCommand(process.argv.slice(2), {
  env: process.env,
  terminal: { out: process.stdout, err: process.stderr },
  signal: abort.signal,
});
