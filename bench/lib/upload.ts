import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { RunReport } from "../../src/report.ts";
import { built } from "./built.ts";

export interface UploadInput {
  readonly stateDir: string;
  readonly apiUrl: string;
  /** Wall clock of the run; equal ones give equal idempotency keys. */
  readonly now: number;
  readonly maxSessions?: number;
  readonly maxBytes?: number;
}

/** A day after the corpus was touched: nothing is still being written. */
export const NOW = Date.parse("2026-01-03T00:00:00Z");

/** Loads what a run needs and returns the run. */
export async function prepareRun(input: UploadInput): Promise<() => Promise<RunReport>> {
  const [{ readConfig }, { run }] = await Promise.all([built("config"), built("run")]);
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
  const { config } = result;
  return async () => {
    const report = await run({
      stateDir: input.stateDir,
      config,
      apiKey: "bench",
      trigger: "command",
      lockWaitMs: 0,
      signal: new AbortController().signal,
      now: () => input.now,
      random: () => 0,
    });
    if (report.outcome !== "done") throw new Error(`the run ended ${JSON.stringify(report)}`);
    return report;
  };
}

/** Makes everything in a state directory new again. */
export async function forgetUploads(stateDir: string): Promise<void> {
  for (const dir of ["influxion", "extensions"]) {
    await rm(join(stateDir, dir), { recursive: true, force: true });
  }
}
