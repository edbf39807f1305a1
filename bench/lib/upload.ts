import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunOptions } from "../../src/run/options.ts";
import type { RunReport } from "../../src/run/report.ts";
import { built } from "./built.ts";

export interface UploadInput {
  readonly stateDir: string;
  readonly apiUrl: string;
  /**
   * In a thread of its own, as the plugin runs. Otherwise in this one, where equal
   * clocks give equal idempotency keys, which spares the sink work.
   */
  readonly inWorker?: boolean;
  /** Wall clock of a run in this thread. */
  readonly now: number;
  readonly maxSessions?: number;
  readonly maxBytes?: number;
  /** As `sync --all`. @default false */
  readonly all?: boolean;
  /** A small state directory to upload first, so that what is measured is not the loading of code. */
  readonly warmUpDir?: string;
}

/** A day after the corpus was touched: nothing is still being written. */
export const NOW = Date.parse("2026-01-03T00:00:00Z");

/** What a run is called with. */
export async function runOptions(input: UploadInput, stateDir: string): Promise<RunOptions> {
  const { readConfig } = await built("config/config");
  const result = readConfig({
    apiKey: "bench",
    deploymentId: "bench-deployment",
    projectId: "bench-project",
    apiUrl: input.apiUrl,
    upload: {
      maxFilesPerRun: input.maxSessions ?? 1_000_000,
      maxBytesPerRun: input.maxBytes ?? 1024 ** 4,
      retryAttempts: 0,
    },
  });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return {
    stateDir,
    config: result.config,
    apiKey: "bench",
    trigger: "command",
    all: input.all ?? false,
    lockWaitMs: 0,
    signal: new AbortController().signal,
    now: () => input.now,
    random: () => 0,
  };
}

/** Loads what a run needs, uploads the warm-up if there is one, and returns the run. */
export async function prepareRun(input: UploadInput): Promise<() => Promise<RunReport>> {
  const run = input.inWorker
    ? (await built("run/worker-runner")).runInWorker
    : (await built("run/run")).run;
  const upload = async (stateDir: string): Promise<RunReport> => {
    const report = await run(await runOptions(input, stateDir));
    if (report.outcome !== "done") throw new Error(`the run ended ${JSON.stringify(report)}`);
    return report;
  };
  if (input.warmUpDir !== undefined) {
    await forgetUploads(input.warmUpDir);
    await upload(input.warmUpDir);
  }
  return () => upload(input.stateDir);
}

/** Makes everything in a state directory new again. */
export async function forgetUploads(stateDir: string): Promise<void> {
  await rm(join(stateDir, "influxion"), { recursive: true, force: true });
}
