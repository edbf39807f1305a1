import { createHash } from "node:crypto";
import { ledgerPaths } from "./ledger/files.ts";
import type { RunReport } from "./report.ts";
import type { RunOptions } from "./run.ts";
import { findAgents } from "./stores/agents.ts";
import { fileMark } from "./stores/mark.ts";

/**
 * Runs for the interval, one after the other, that cost next to nothing while nothing
 * happens: when a run has found nothing to do and everything at rest, the next one
 * begins with a look at names, sizes and times alone. If they are as they were before
 * that run, it would find the same, and neither ledger, lock nor thread is needed.
 */
export class QuietRuns {
  readonly #run: (options: RunOptions) => Promise<RunReport>;
  #quiet: { readonly mark: string; readonly report: RunReport } | null = null;

  constructor(run: (options: RunOptions) => Promise<RunReport>) {
    this.#run = run;
  }

  /** A run with the config of the runs before; its report is that of a whole one. */
  async run(options: RunOptions): Promise<RunReport> {
    const startedAt = new Date(options.now()).toISOString();
    const mark = await stateMark(options);
    options.signal.throwIfAborted();
    const before = this.#quiet;
    if (before !== null && before.mark === mark) {
      return { ...before.report, startedAt, endedAt: new Date(options.now()).toISOString() };
    }
    this.#quiet = null;
    const report = await this.#run(options);
    // The mark is older than the look of that run: a change in between is noticed.
    if (report.settled && mark !== null) this.#quiet = { mark, report };
    return report;
  }
}

/** Equal between two looks only if all that a run would look at is unchanged; null when that cannot be told. */
async function stateMark({
  stateDir,
  now,
  signal,
}: Pick<RunOptions, "stateDir" | "now" | "signal">): Promise<string | null> {
  const hash = createHash("sha256");
  const add = (...parts: unknown[]): unknown => hash.update(JSON.stringify(parts));
  try {
    for (const path of Object.values(ledgerPaths(stateDir))) add(await fileMark(path));
    await using found = await findAgents({ stateDir, now, knownBytes: () => undefined });
    add(found.problems);
    for (const { agentId, stores, failures } of found.agents) {
      add(agentId, failures);
      for (const store of stores) add(store.kind, await store.mark(signal));
    }
    return hash.digest("hex");
  } catch {
    // Whatever it is, the run that follows tells it.
    return null;
  }
}
