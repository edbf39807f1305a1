import { randomUUID } from "node:crypto";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { errnoOf, InfluxionError } from "../shared/problem.ts";
import { count } from "../shared/text.ts";
import type { StagedPart } from "./body.ts";
import { append, exists, ShortFileError, truncateTo } from "./files.ts";
import { INDEX_FILE, prepareFolder, STAGING_FOLDER, tidyFolder } from "./folder.ts";
import { lockFolder } from "./folder-lock.ts";
import type { Index, NewGeneration, PartRow, ReceiverStats, SessionRow } from "./index-db.ts";
import { fileOf, shownId, streamOf } from "./names.ts";
import { openIndex } from "./open-index.ts";
import { Refusal } from "./refusal.ts";

/** A part that is stored: now, or by an earlier attempt (`repeated`). */
export interface Stored {
  readonly part: PartRow;
  readonly repeated: boolean;
  /** The newest generation of the session that is stored, as its parts call it, if the part is of an older one. */
  readonly newer: number | undefined;
}

/** One generation of one session. */
export interface SessionSummary extends Omit<SessionRow, "stream" | "wireGeneration"> {
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
    const unlock = await lockFolder(dir);
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
   * @param wireGeneration what the part itself says, if it does
   * @throws {Refusal} `KEY_REUSED`, `OUT_OF_ORDER`
   */
  commit(key: string, staged: StagedPart, wireGeneration?: number): Promise<Stored> {
    return this.#oneAtATime(() => this.#commit(key, staged, wireGeneration));
  }

  async #commit(key: string, staged: StagedPart, wireGeneration?: number): Promise<Stored> {
    const known = this.#index.part(key);
    if (known !== undefined) {
      if (known.sha256 !== staged.sha256) {
        throw new Refusal(
          422,
          "KEY_REUSED",
          `Idempotency-Key ${shownId(key)} was used before for a part with another body`,
        );
      }
      this.#index.countRepeat(key);
      return { part: known, repeated: true, newer: this.#index.newerThan(known) };
    }
    const session = await this.#place(staged, wireGeneration);
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
    return { part, repeated: false, newer: this.#index.newerThan(part) };
  }

  /**
   * Finds the generation that a part continues, or makes the one that it begins. A part
   * that does not say which continues the newest, or begins one when it starts at line 0.
   *
   * @throws {Refusal} `OUT_OF_ORDER`
   */
  async #place(
    staged: StagedPart,
    named: number | undefined,
  ): Promise<NewGeneration & Pick<SessionRow, "bytes">> {
    const { agentId, sessionId, firstLine } = staged;
    const stream = streamOf(agentId, sessionId);
    const newest = this.#index.newest(stream);
    const wireGeneration = named ?? unnamed(newest, firstLine);
    const held = this.#index.generation(stream, wireGeneration);
    const lines = held?.lines ?? 0;
    if (firstLine !== lines) {
      const which = named === undefined ? "newest generation" : `generation ${named}`;
      const message = `the part begins at line ${firstLine}, but the session's ${which} holds ${count(lines, "line")}`;
      throw new Refusal(409, "OUT_OF_ORDER", message);
    }
    if (held !== undefined) return held;
    const { generation, file } = await this.#newFile(stream);
    const session = { stream, generation, wireGeneration, agentId, sessionId, file };
    this.#index.announce(session);
    return { ...session, bytes: 0 };
  }

  /** A file that is there without being in the index is somebody else's. */
  async #newFile(stream: string): Promise<{ generation: number; file: string }> {
    for (let generation = this.#index.nextGeneration(stream); ; generation++) {
      const file = fileOf(stream, generation);
      if (!(await exists(join(this.#dir, file)))) return { generation, file };
    }
  }

  countRefusal(code: string, message: string): void {
    this.#index.countRefusal(code, message, this.#timestamp());
  }

  sessions(): SessionSummary[] {
    return this.#index
      .sessions()
      .filter((row) => row.parts > 0)
      .map(({ stream: _, wireGeneration: __, ...row }) => ({
        ...row,
        file: join(this.#dir, row.file),
      }));
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

/** The generation of a part that does not say its own. */
function unnamed(newest: SessionRow | undefined, firstLine: number): number {
  if (newest === undefined) return 0;
  const wireGeneration = newest.wireGeneration + (firstLine === 0 ? 1 : 0);
  if (Number.isSafeInteger(wireGeneration)) return wireGeneration;
  throw new Refusal(
    409,
    "OUT_OF_ORDER",
    "no generation of the session can be newer than the newest",
  );
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
    if (error instanceof ShortFileError) throw error;
    const why = error instanceof InfluxionError ? error.message : `${path}: ${errnoOf(error)}`;
    throw new InfluxionError(
      "RECEIVER_DAMAGED",
      `what was received cannot be continued (${why}); put it back, or choose another folder with --dir`,
      { cause: error },
    );
  }
}
