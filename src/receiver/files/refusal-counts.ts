import type { DatabaseSync } from "node:sqlite";

interface RefusalCount {
  readonly count: number;
  /** ISO 8601; of the last one. */
  readonly at: string;
  readonly message: string;
}

/**
 * How often each reason led to a refusal. They are counted in memory until the index is
 * closed: nobody can make the receiver write to disk by sending what is refused.
 */
export class RefusalCounts {
  readonly #since = new Map<string, RefusalCount>();

  add(code: string, message: string, at: string): void {
    const count = (this.#since.get(code)?.count ?? 0) + 1;
    this.#since.set(code, { count, at, message });
  }

  /** By code, together with those in the index. */
  totals(db: DatabaseSync): Record<string, number> {
    const totals: Record<string, number> = {};
    for (const { code, count } of db.prepare("SELECT code, count FROM refusals").all()) {
      totals[String(code)] = Number(count);
    }
    for (const [code, { count }] of this.#since) totals[code] = (totals[code] ?? 0) + count;
    return totals;
  }

  save(db: DatabaseSync): void {
    const save = db.prepare(
      `INSERT INTO refusals (code, count, last_at, last_message) VALUES (?, ?, ?, ?)
       ON CONFLICT (code) DO UPDATE SET count = count + excluded.count,
       last_at = excluded.last_at, last_message = excluded.last_message`,
    );
    for (const [code, { count, at, message }] of this.#since) save.run(code, count, at, message);
  }
}
