/** Runs with nothing to do, one after the other in one process, as the Gateway's interval does them. */
import { built } from "../lib/built.ts";
import { programInput, programResult } from "../lib/child.ts";
import { Turns } from "../lib/turns.ts";
import { runOptions, type UploadInput } from "../lib/upload.ts";

export interface IdleInput extends UploadInput {
  readonly runs: number;
}

export interface IdleResult {
  /** CPU of the whole process in each run, in ms. */
  readonly cpuMs: readonly number[];
  /** Most CPU of the main thread in one turn of the event loop, in one more run, in ms. */
  readonly turnMs: number;
  /** Parts that all the runs have sent. */
  readonly parts: number;
  /** Runs that were more than a look. */
  readonly whole: number;
}

const input = programInput<IdleInput>();
const [{ IdleCache }, { runInWorker }] = await Promise.all([
  built("run/idle-cache"),
  built("run/worker-runner"),
]);
const options = await runOptions(input, input.stateDir);
const cpuMs: number[] = [];
let parts = 0;
let whole = 0;
const runs = new IdleCache((run) => {
  whole++;
  return runInWorker(run);
});
const runOnce = async (): Promise<void> => {
  parts += (await runs.run({ ...options, trigger: "interval" })).sent.parts;
};
for (let n = 0; n < input.runs; n++) {
  const from = process.cpuUsage();
  await runOnce();
  const { user, system } = process.cpuUsage(from);
  cpuMs.push((user + system) / 1000);
}
using turns = new Turns();
await runOnce();
programResult({ cpuMs, turnMs: Math.max(0, ...turns.ms), parts, whole } satisfies IdleResult);
