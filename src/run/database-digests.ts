import { setTimeout as sleep } from "node:timers/promises";
import type { DatabaseThread } from "../stores/sqlite/database-thread.ts";
import type { IdleScan } from "./idle-scan.ts";

/** What counts of one agent's database. */
export interface DatabaseDigest {
  /** Real path. */
  readonly path: string;
  /** Of {@link IdleScan.databases}, taken before the database was read: what changes in between is noticed the next time. */
  readonly state: string;
  /** Equal only while a run would list the same in it; see `digestDatabase`. */
  readonly digest: string;
}

/** Of what is not opened, because no run would. */
const EXCLUDED = "excluded";

const NONE: ReadonlySet<string> = new Set();

/** Times of files move on with the kernel's clock, every 1 to 10 ms. */
const TICK_MS = 20;

/**
 * What agents' databases say, each read again only when its file has changed. OpenClaw 2026.9.6 writes to them
 * whenever it starts, and now and then, without a session having changed: statistics for SQLite's planner, and titles
 * of sessions that had none, which count where a filter goes by names.
 */
export class DatabaseDigests {
  readonly #known = new Map<string, DatabaseDigest>();

  /** Takes what was read before, also by another process. */
  learn(digests: readonly DatabaseDigest[]): void {
    for (const one of digests) this.#known.set(one.path, one);
  }

  /**
   * Those of a scan, one after the other: whoever has seen enough need not have the rest read.
   * @throws {Error} when one cannot be read as a whole, or not in time
   */
  async *of(
    { databases, needs, filtered }: IdleScan,
    thread: DatabaseThread,
  ): AsyncGenerator<DatabaseDigest> {
    const { allow, deny } = filtered.filter.agents;
    let excluded = allow.length + deny.length === 0 ? NONE : undefined;
    let isLater = false;
    for (const [path, state] of databases) {
      let known = this.#known.get(path);
      if (known?.state !== state) {
        // What is written in the tick of the state, after it was taken, shows in no later state.
        if (!isLater) await sleep(TICK_MS);
        isLater = true;
        excluded ??= await thread.excluded(filtered);
        const digest = excluded.has(path) ? EXCLUDED : await thread.digest(path, needs);
        known = { path, state, digest };
        this.#known.set(path, known);
      }
      yield known;
    }
  }
}
