import { errnoOf } from "../../shared/problem.ts";
import type { Entry, PartName, Place, ReceivedPart, Stored } from "../backend.ts";
import { Refusal } from "../refusal.ts";
import { keyReused, newReceipt } from "../rules.ts";
import { LineCopy } from "./copy.ts";
import type { Database } from "./database.ts";
import { commit, type Lease } from "./lease.ts";
import { type KnownPart, type NewPlace, placePart, shareDeployment } from "./place.ts";

/** What is to become of a part whose place is known. */
export interface Opened {
  write(entries: readonly Entry[]): Promise<void>;
  commit(part: ReceivedPart): Promise<Stored>;
  /** Gives up what was not committed. */
  dispose(): void;
}

/** Finds out in a transaction what is to become of a part. @throws the database's error, or the connection's */
export async function openPart(database: Database, name: PartName, place: Place): Promise<Opened> {
  const lease = await database.begin(shareDeployment(place));
  try {
    const found = await placePart(lease.client, name, place);
    if (!("receipt" in found)) {
      return new Writing(database, lease, name.idempotencyKey, found);
    }
    await lease.rollback();
    return new Repetition(database, name.idempotencyKey, found);
  } catch (error) {
    if (!(error instanceof Refusal)) {
      lease.destroy();
      throw error;
    }
    await lease.rollback();
    return new Refused(error);
  }
}

/** It is stored already: only its digest is of interest. */
class Repetition implements Opened {
  readonly #database: Database;
  readonly #key: string;
  readonly #known: KnownPart;

  constructor(database: Database, key: string, known: KnownPart) {
    this.#database = database;
    this.#key = key;
    this.#known = known;
  }

  async write(): Promise<void> {
    // The body is read to its end, for its digest.
  }

  async commit({ sha256 }: ReceivedPart): Promise<Stored> {
    const { receipt, sha256: expected } = this.#known;
    if (sha256 !== expected) throw keyReused(this.#key);
    const { generation, newest } = await this.#count();
    return {
      receipt: JSON.parse(receipt),
      generation,
      repeated: true,
      restarts: false,
      newer: newest > generation ? newest : undefined,
    };
  }

  /**
   * Also makes the answer safe: this commit is confirmed by the standby only after that of the part,
   * which may have waited for it in vain.
   */
  #count(): Promise<{ generation: number; newest: number }> {
    return this.#database.transaction(async (client) => {
      const { rows } = await client.query<{ generation: number; newest: number }>(
        `UPDATE influxion.part p SET repeats = repeats + 1 FROM influxion.head h
         WHERE p.key = $1 AND h.id = p.session_id RETURNING p.generation, h.generation AS newest`,
        [this.#key],
      );
      const [row] = rows;
      if (row === undefined) throw new Error("the part was deleted meanwhile");
      return row;
    });
  }

  dispose(): void {
    // Nothing is held.
  }
}

/** It is refused, once its body turned out to be whole. */
class Refused implements Opened {
  readonly #refusal: Refusal;

  constructor(refusal: Refusal) {
    this.#refusal = refusal;
  }

  async write(): Promise<void> {
    // What is wrong with the body comes first.
  }

  async commit(): Promise<Stored> {
    throw this.#refusal;
  }

  dispose(): void {
    // Nothing is held.
  }
}

const INSERT_PART = `INSERT INTO influxion.part (key, session_id, generation, first_line, lines,
  accepted, rejected, body_sha256, receipt, wire_bytes, decoded_bytes, unnamed_after)
  VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`;

/** https://www.postgresql.org/docs/current/errcodes-appendix.html */
const UNIQUE_VIOLATION = "23505";

/** It is new: its lines go into the database, in a transaction. */
class Writing implements Opened {
  readonly #database: Database;
  readonly #lease: Lease;
  readonly #key: string;
  readonly #place: NewPlace;
  #copy: LineCopy | undefined;

  constructor(database: Database, lease: Lease, key: string, place: NewPlace) {
    this.#database = database;
    this.#lease = lease;
    this.#key = key;
    this.#place = place;
  }

  async write(entries: readonly Entry[]): Promise<void> {
    const { client } = this.#lease;
    this.#copy ??= new LineCopy(client, this.#database.driver.copyFrom, this.#place);
    await this.#copy.write(entries);
  }

  async commit(part: ReceivedPart): Promise<Stored> {
    const receipt = newReceipt(part);
    await this.#copy?.end();
    await this.#record(part, JSON.stringify(receipt));
    await commit(this.#lease.client);
    this.#lease.release();
    const { generation, newest } = this.#place;
    const newer = newest !== undefined && newest > generation ? newest : undefined;
    const restarts = newest !== undefined && part.firstLine === 0;
    return { receipt, generation, repeated: false, restarts, newer };
  }

  async #record(part: ReceivedPart, receipt: string): Promise<void> {
    const { sessionId, generation, newest, unnamedAfter } = this.#place;
    const { firstLine, lines, accepted, rejected, sha256, wireBytes, decodedBytes } = part;
    const { client } = this.#lease;
    const row = [this.#key, sessionId, generation, firstLine, lines, accepted, rejected];
    const more = [Buffer.from(sha256, "hex"), receipt, wireBytes, decodedBytes, unnamedAfter];
    try {
      await client.query(INSERT_PART, [...row, ...more]);
    } catch (error) {
      // Of another session, which has another lock.
      throw errnoOf(error) === UNIQUE_VIOLATION ? keyReused(this.#key) : error;
    }
    if (newest !== undefined && newest > generation) return;
    await client.query("UPDATE influxion.head SET generation = $2, next_line = $3 WHERE id = $1", [
      sessionId,
      generation,
      firstLine + lines,
    ]);
  }

  dispose(): void {
    this.#lease.destroy();
  }
}
