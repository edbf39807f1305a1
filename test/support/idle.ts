// usage: node idle.ts <state directory> <database>
// Prints how many whole runs three idle looks cost, before the last of which the database was touched, and which
// modules for databases they loaded.
import { utimesSync } from "node:fs";
import type { RunReport } from "../../src/run/report.ts";
import { built } from "./built.ts";

const { readConfig } = await built<typeof import("../../src/config/config.ts")>("config/config");
const { IdleCache } = await built<typeof import("../../src/run/idle-cache.ts")>("run/idle-cache");

const result = readConfig({ apiKey: "key", deploymentId: "d", projectId: "p" });
if (!result.ok) throw new Error("the config is wrong");
let whole = 0;
const cache = new IdleCache(() => {
  whole++;
  return Promise.resolve({ settled: true } as RunReport);
});
const options = {
  stateDir: process.argv[2] ?? "",
  config: result.config,
  apiKey: "key",
  trigger: "interval",
  lockWaitMs: 0,
  signal: new AbortController().signal,
  now: Date.now,
  random: Math.random,
} as const;
for (let n = 0; n < 2; n++) await cache.run(options);
const now = Date.now() / 1000;
utimesSync(process.argv[3] ?? "", now, now);
await cache.run(options);
const { moduleLoadList } = process as unknown as { moduleLoadList: string[] };
process.stdout.write(
  JSON.stringify({ whole, loaded: moduleLoadList.filter((name) => /sqlite/i.test(name)) }),
);
