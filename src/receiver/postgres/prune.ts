import { errnoOf } from "../../shared/problem.ts";
import { count } from "../../shared/text.ts";
import type { Database } from "./database.ts";

/** Parts whose lines are removed in one transaction. */
const BATCH = 20;
const INTERVAL_MS = 3_600_000;

/**
 * Removes lines that were received more than `days` ago. What is recorded of their parts stays:
 * the session goes on where it ended, and what comes again is recognised and not stored again.
 *
 * Returns how many lines there were. Several receivers may do so at once.
 */
export async function prune(
  database: Database,
  days: number,
  signal?: AbortSignal,
): Promise<number> {
  let lines = 0;
  while (signal?.aborted !== true) {
    const batch = await pruneBatch(database, days);
    lines += batch.lines;
    if (batch.parts < BATCH) break;
  }
  return lines;
}

function pruneBatch(database: Database, days: number): Promise<{ parts: number; lines: number }> {
  return database.transaction(async (client) => {
    const { rows } = await client.query<{ parts: number; lines: number }>(
      `WITH old AS (
         SELECT key, session_id, generation, first_line, lines FROM influxion.part
         WHERE pruned_at IS NULL AND received_at < now() - make_interval(days => $1)
         ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED
       ), gone AS (
         DELETE FROM influxion.line l USING old WHERE l.session_id = old.session_id
         AND l.generation = old.generation AND l.line_index >= old.first_line
         AND l.line_index < old.first_line + old.lines RETURNING 1
       ), marked AS (
         UPDATE influxion.part p SET pruned_at = now() FROM old WHERE p.key = old.key RETURNING 1
       )
       SELECT (SELECT count(*) FROM marked) AS parts, (SELECT count(*) FROM gone) AS lines`,
      [days, BATCH],
    );
    return rows[0] ?? { parts: 0, lines: 0 };
  });
}

/** Prunes now and every hour, until it is stopped. */
export class Pruning {
  readonly #database: Database;
  readonly #days: number;
  readonly #log: (line: string) => void;
  readonly #stopped = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #running: Promise<void>;

  constructor(database: Database, days: number, log: (line: string) => void) {
    this.#database = database;
    this.#days = days;
    this.#log = log;
    this.#running = this.#run();
    this.#timer = setInterval(() => {
      this.#running = this.#running.then(() => this.#run());
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  async #run(): Promise<void> {
    try {
      const lines = await prune(this.#database, this.#days, this.#stopped.signal);
      if (lines > 0) this.#log(`removed ${count(lines, "line")} older than ${this.#days} days`);
    } catch (error) {
      const why = errnoOf(error) || "unexpected error";
      this.#log(`old lines could not be removed (${why}); that is tried again in an hour`);
    }
  }

  /** Waits for the batch that is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopped.abort();
    await this.#running;
  }
}
