/** What a run does to the process it is a guest in: timers, main thread, thread pool. */
import "../lib/host-builtins.ts";
import { stat } from "node:fs/promises";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import type { RunOptions } from "../../src/run/options.ts";
import { built } from "../lib/built.ts";
import { programInput, programResult } from "../lib/child.ts";
import { Turns } from "../lib/turns.ts";
import { prepareRun, runOptions, type UploadInput } from "../lib/upload.ts";

export interface GatewayInput extends UploadInput {
  readonly idleMs: number;
}

/** All in ms. */
export interface Impact {
  /** How late a timer of 1 ms was. */
  readonly delayP99: number;
  readonly delayMax: number;
  /**
   * CPU of the main thread between two turns of the event loop: the delay a run
   * causes, without what other processes on a busy machine cause.
   */
  readonly turnP99: number;
  readonly turnMax: number;
  /** How long the host's own `fs.stat` takes. */
  readonly statP50: number;
}

export interface GatewayResult {
  readonly idle: Impact;
  readonly run: Impact;
}

const TICK_MS = 1;
const STAT_EVERY_MS = 5;

async function watch(work: () => Promise<unknown>): Promise<Impact> {
  const delay = monitorEventLoopDelay({ resolution: TICK_MS });
  const stats: number[] = [];
  using turns = new Turns();
  const host = setInterval(async () => {
    const start = performance.now();
    await stat(process.execPath);
    stats.push(performance.now() - start);
  }, STAT_EVERY_MS);
  delay.enable();
  try {
    await work();
  } finally {
    delay.disable();
    clearInterval(host);
  }
  return {
    delayP99: delay.percentile(99) / 1e6 - TICK_MS,
    delayMax: delay.max / 1e6 - TICK_MS,
    turnP99: percentile(turns.ms, 0.99),
    turnMax: Math.max(0, ...turns.ms),
    statP50: percentile(stats, 0.5),
  };
}

function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * share)] ?? 0;
}

/** The first run of a Gateway's service, which has read its config when it started. */
async function firstRun(options: RunOptions): Promise<void> {
  const { IdleCache } = await built("run/idle-cache");
  const { runInWorker } = await built("run/worker-runner");
  const report = await new IdleCache(runInWorker).run(options);
  if (report.outcome !== "done") throw new Error(`the run ended ${JSON.stringify(report)}`);
}

const input = programInput<GatewayInput>();
const options = await runOptions(input, input.stateDir);
const run = input.warmUpDir === undefined ? () => firstRun(options) : await prepareRun(input);
const idle = await watch(() => sleep(input.idleMs));
programResult({ idle, run: await watch(run) } satisfies GatewayResult);
