// usage: node look.ts <state directory> <nobody|self> [host config as JSON]
// Looks at a state directory in every way that the plugin does, and prints what each said.
// `nobody`: without root's right to read and enter everything.

import { built } from "./built.ts";

const { readState } = await built<typeof import("../../src/run/state.ts")>("run/state");
const { readConfig } = await built<typeof import("../../src/config/config.ts")>("config/config");
const { readLayout } = await built<typeof import("../../src/stores/layout.ts")>("stores/layout");
const { IdleCache } = await built<typeof import("../../src/run/idle-cache.ts")>("run/idle-cache");
const { dryRun } = await built<typeof import("../../src/run/dry-run.ts")>("run/dry-run");
const { run } = await built<typeof import("../../src/run/run.ts")>("run/run");

const NOBODY = 65_534;

const [stateDir = "", user, hostConfig = "{}"] = process.argv.slice(2);
const result = readConfig({
  // Nobody answers there.
  apiUrl: "http://127.0.0.1:9",
  apiKey: "key",
  deploymentId: "d",
  projectId: "p",
  upload: { retryAttempts: 0, retryBackoffMs: 0 },
  filter: { sessions: { deny: ["denied-*"] } },
});
if (!result.ok) throw new Error("the config is wrong");
const { config } = result;
const options = {
  stateDir,
  layout: readLayout(JSON.parse(hostConfig)),
  config,
  apiKey: "key",
  trigger: "interval",
  lockWaitMs: 0,
  signal: new AbortController().signal,
  now: Date.now,
  random: Math.random,
} as const;

const cache = new IdleCache(run);
const looks: Record<string, () => Promise<unknown>> = {
  status: () => readState(stateDir, config, Date.now, options.layout),
  dryRun: async () => {
    const { survey, problems } = await dryRun(options);
    return { failedAgents: survey.failedAgents, problems };
  },
  run: () => cache.run(options),
  again: () => cache.run(options),
};
// Loaded before: a right that is given up is needed to load the driver.
await import("node:sqlite");
if (user === "nobody" && process.getuid?.() === 0) process.seteuid?.(NOBODY);
const said: Record<string, unknown> = {};
for (const [name, look] of Object.entries(looks)) {
  const started = performance.now();
  said[name] = await look().catch((error: unknown) => ({ error: String(error) }));
  process.stderr.write(`${name} ${Math.round(performance.now() - started)} ms\n`);
}
process.stdout.write(JSON.stringify(said));
