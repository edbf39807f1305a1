import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { errnoOf, InfluxionError } from "../problem.ts";
import type { StagedPart } from "./body.ts";
import { append, truncateTo } from "./files.ts";
import { INDEX_FILE, prepareFolder, STAGING_FOLDER, tidyFolder } from "./folder.ts";
import { lockFolder } from "./folder-lock.ts";
import type { Index, PartRow, ReceiverStats, SessionRow } from "./index-db.ts";
import { fileOf, streamOf } from "./names.ts";
import { openIndex } from "./open-index.ts";
import { Refusal } from "./refusal.ts";
import { printable } from "./words.ts";

/** A part that is stored: now, or by an earlier attempt (`repeated`). */
export interface Stored {
  readonly part: PartRow;
  readonly repeated: boolean;
}

/** One generation of one session. */
export interface SessionSummary extends Omit<SessionRow, "stream"> {
  /** Absolute path of the JSONL file. */
  readonly file: string;
}

/**
 * The receiver's folder: one JSONL file per session and generation, and the index.
 *
 * The index says how long each file is. A part's payloads are appended and synced
 * first and committed to the index after that, so a crash in between leaves only
 * bytes behind the committed length, which the next start (or append) cuts off.
 */
export class Storage {
  readonly #dir: string;
  readonly #now: () => number;
  readonly #index: Index;
  readonly #unlock: () => void;
  readonly #oneAtATime = pLimit(1);

  private constructor(dir: string, now: () => number, index: Index, unlock: () => void) {
    this.#dir = dir;
    this.#now = now;
    this.#index = index;
    this.#unlock = unlock;
  }

  /** @throws {InfluxionError} when the folder is in use, damaged or of a newer version. */
  static async open(dir: string, now: () => number): Promise<Storage> {
    await prepareFolder(dir);
    const unlock = lockFolder(dir);
    try {
      const index = openIndex(join(dir, INDEX_FILE));
      try {
        await tidyFolder(dir);
        for (const row of index.sessions()) await recover(dir, index, row);
      } catch (error) {
        index.close();
        throw error;
      }
      return new Storage(dir, now, index, unlock);
    } catch (error) {
      unlock();
      throw error;
    }
  }

  /** A new path for the payloads of a body that is still arriving. */
  stagingFile(): string {
    return join(this.#dir, STAGING_FOLDER, `${randomUUID()}.part`);
  }

  /**
   * Stores a part once, whatever the number of attempts.
   * @throws {Refusal} `KEY_REUSED`, `OUT_OF_ORDER`
   */
  commit(key: string, staged: StagedPart): Promise<Stored> {
    return this.#oneAtATime(() => this.#commit(key, staged));
  }

  async #commit(key: string, staged: StagedPart): Promise<Stored> {
    const known = this.#index.part(key);
    if (known !== undefined) {
      if (known.sha256 !== staged.sha256) {
        throw new Refusal(
          422,
          "KEY_REUSED",
          `Idempotency-Key ${printable(key)} was used before for a part with another body`,
        );
      }
      this.#index.countRepeat(key);
      return { part: known, repeated: true };
    }
    const session = this.#sessionFor(staged);
    this.#index.announce(session);
    const bytes = await append(join(this.#dir, session.file), session.bytes, staged.file);
    const part: PartRow = {
      key,
      sha256: staged.sha256,
      stream: session.stream,
      generation: session.generation,
      firstLine: staged.firstLine,
      lines: staged.lines,
      receipt: {
        accepted: staged.accepted,
        rejected: staged.rejected,
        batchId: randomUUID(),
        ...(staged.errors.length > 0 ? { errors: staged.errors } : {}),
      },
      wireBytes: staged.wireBytes,
      decodedBytes: staged.decodedBytes,
      receivedAt: this.#timestamp(),
    };
    this.#index.commit(part, bytes);
    return { part, repeated: false };
  }

  /** The wire names no generation: a part that starts at line 0 again begins a new one. */
  #sessionFor(
    staged: StagedPart,
  ): Pick<SessionRow, "stream" | "generation" | "agentId" | "sessionId" | "file" | "bytes"> {
    const { agentId, sessionId, firstLine } = staged;
    const stream = streamOf(agentId, sessionId);
    const held = this.#index.newest(stream);
    if (held !== undefined && firstLine === held.lines) return held;
    if (firstLine !== 0) {
      throw new Refusal(
        409,
        "OUT_OF_ORDER",
        `the part starts at line ${firstLine}, but the session holds ${held?.lines ?? 0} lines`,
      );
    }
    const generation = held === undefined ? 0 : held.generation + 1;
    return { stream, generation, agentId, sessionId, file: fileOf(stream, generation), bytes: 0 };
  }

  countRefusal(code: string, message: string): void {
    this.#index.countRefusal(code, message, this.#timestamp());
  }

  sessions(): SessionSummary[] {
    return this.#index
      .sessions()
      .filter((row) => row.parts > 0)
      .map(({ stream: _, ...row }) => ({ ...row, file: join(this.#dir, row.file) }));
  }

  stats(): ReceiverStats {
    return this.#index.stats();
  }

  /** Waits for the commit that is under way. */
  async close(): Promise<void> {
    try {
      await this.#oneAtATime(() => this.#index.close());
    } finally {
      this.#unlock();
    }
  }

  #timestamp(): string {
    return new Date(this.#now()).toISOString();
  }
}

/** Takes back what a crash left behind the committed length of a file. */
async function recover(dir: string, index: Index, row: SessionRow): Promise<void> {
  const path = join(dir, row.file);
  if (row.parts === 0) {
    await rm(path, { force: true });
    index.forget(row);
    return;
  }
  try {
    await truncateTo(path, row.bytes);
  } catch (error) {
    if (error instanceof InfluxionError && error.code === "RECEIVER_DAMAGED") throw error;
    const why = error instanceof InfluxionError ? error.message : `${path}: ${errnoOf(error)}`;
    throw new InfluxionError(
      "RECEIVER_DAMAGED",
      `what was received cannot be continued (${why}); put it back, or choose another folder with --dir`,
      { cause: error },
    );
  }
}
