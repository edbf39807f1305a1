// usage: node check-child.ts <state directory>
// Runs `check --json --offline` on it, as whoever this process is.

import { built } from "./built.ts";

const { check } = await built<typeof import("../../src/cli/check.ts")>("cli/check");
const { readConfig } = await built<typeof import("../../src/config/config.ts")>("config/config");

const [stateDir = ""] = process.argv.slice(2);
process.exitCode = await check({
  setup: { stateDir, config: readConfig({ apiKey: "key", deploymentId: "d", projectId: "p" }) },
  flags: { json: true, offline: true },
  secrets: () => Promise.resolve({ apiKey: "key" }),
  gateway: () => Promise.resolve({ kind: "unknown", reason: "not asked" }),
  signal: new AbortController().signal,
  now: Date.now,
  terminal: { out: process.stdout, err: process.stderr },
});
