// A child program: one run of the built plugin on its thread. Prints the report, or the failure, as JSON.
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [dist = "", stateDir = "", apiUrl = "", apiKey = "", more = "{}"] = process.argv.slice(2);
const load = (module: string) => import(pathToFileURL(join(dist, module)).href);
const { readConfig } = (await load(
  "config/config.js",
)) as typeof import("../../src/config/config.ts");
const { runInWorker } = (await load(
  "run/worker-runner.js",
)) as typeof import("../../src/run/worker-runner.ts");

const result = readConfig({
  apiUrl,
  apiKey,
  deploymentId: "lab",
  projectId: "project",
  upload: { retryAttempts: 0 },
  ...JSON.parse(more),
});
if (!result.ok) throw new Error("the config is wrong");
const done = await runInWorker({
  stateDir,
  config: result.config,
  apiKey,
  trigger: "command",
  retryBackedOff: true,
  lockWaitMs: 0,
  signal: new AbortController().signal,
  now: Date.now,
  random: Math.random,
}).catch((error: Error & { code?: string }) => ({ code: error.code, message: error.message }));
process.stdout.write(JSON.stringify(done));
