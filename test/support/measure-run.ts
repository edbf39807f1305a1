// A child program: one run, and by how much it made the process grow. Prints JSON.
import { built } from "./built.ts";

const { readConfig } = await built<typeof import("../../src/config/config.ts")>("config/config");
const { runInWorker } =
  await built<typeof import("../../src/run/worker-runner.ts")>("run/worker-runner");

const [stateDir = "", apiUrl = "", apiKey = "", maxBytesPerRun = "10485760"] =
  process.argv.slice(2);
const result = readConfig({
  apiUrl,
  apiKey,
  deploymentId: "lab",
  projectId: "project",
  upload: { maxBytesPerRun: Number(maxBytesPerRun) },
});
if (!result.ok) throw new Error("the config is wrong");

const options = {
  config: result.config,
  apiKey,
  trigger: "interval",
  lockWaitMs: 0,
  signal: new AbortController().signal,
  now: Date.now,
  random: Math.random,
} as const;
// An empty run first: code and pools that any run needs are not what is measured.
await runInWorker({ ...options, stateDir: `${stateDir}-empty` });
const before = process.memoryUsage().rss;
const report = await runInWorker({ ...options, stateDir });
const peak = process.resourceUsage().maxRSS * 1024;
process.stdout.write(JSON.stringify({ grownBytes: Math.max(0, peak - before), report }));
