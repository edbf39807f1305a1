import { randomUUID } from "node:crypto";
import { open } from "node:fs/promises";
import { join } from "node:path";
import pLimit from "p-limit";
import { errnoOf, InfluxionError } from "../../shared/problem.ts";
import type {
  Backend,
  Deleted,
  Deletion,
  PartName,
  Place,
  ReceivedPart,
  Stored,
} from "../backend.ts";
import { fileOf, ownerOf } from "../names.ts";
import { checkOrder, generationOf, keyReused, newReceipt, unnamedAfter } from "../rules.ts";
import { FileDraft } from "./draft.ts";
import { INDEX_FILE, prepareFolder, STAGING_FOLDER, tidyFolder } from "./folder.ts";
import { lockFolder } from "./folder-lock.ts";
import type { Index, PartRow, ReceiverStats, SessionRow } from "./index-db.ts";
import { openIndex } from "./open-index.ts";
import { append, exists, removeFiles, ShortFileError, truncateTo } from "./private.ts";

/** One generation of one session. */
export interface SessionSummary extends Omit<SessionRow, "stream" | "owner" | "wireGeneration"> {
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
export class Storage implements Backend {
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
        await recover(dir, index);
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

  async begin(name: PartName): Promise<FileDraft> {
    const file = join(this.#dir, STAGING_FOLDER, `${randomUUID()}.part`);
    const staging = await open(file, "wx", 0o600);
    return new FileDraft(file, staging, (part) =>
      this.#oneAtATime(() => this.#commit(name, part, file)),
    );
  }

  async #commit(name: PartName, part: ReceivedPart, staged: string): Promise<Stored> {
    const key = name.idempotencyKey;
    const known = this.#index.part(key);
    if (known !== undefined) {
      if (known.sha256 !== part.sha256) throw keyReused(key);
      this.#index.countRepeat(key);
      return this.#stored(known, true);
    }
    const session = await this.#place(part, name.generation);
    const bytes = await append(join(this.#dir, session.file), session.bytes, staged);
    const row: PartRow = {
      key,
      sha256: part.sha256,
      stream: session.stream,
      generation: session.generation,
      firstLine: part.firstLine,
      lines: part.lines,
      receipt: newReceipt(part),
      wireBytes: part.wireBytes,
      decodedBytes: part.decodedBytes,
      receivedAt: this.#timestamp(),
    };
    this.#index.commit(row, ownerOf(part), bytes);
    return this.#stored(row, false);
  }

  #stored(part: PartRow, repeated: boolean): Stored {
    const { receipt, generation, firstLine } = part;
    const newer = this.#index.newerThan(part);
    return { receipt, generation, repeated, restarts: generation > 0 && firstLine === 0, newer };
  }

  /**
   * Finds the generation that a part continues, or makes the one that it begins. A part
   * that does not say which continues the newest, or begins one when it starts at line 0.
   *
   * @throws {Refusal} `FORGOTTEN`, `OUT_OF_ORDER`
   */
  async #place(
    place: Place,
    named: number | undefined,
  ): Promise<Pick<SessionRow, "stream" | "generation" | "file" | "bytes">> {
    const { agentId, sessionId, firstLine } = place;
    const stream = this.#index.streamFor(place);
    const newest = this.#index.newest(stream)?.wireGeneration;
    const through = this.#index.forgottenThrough(place);
    const wireGeneration = generationOf(named, firstLine, { newest, through });
    const held = this.#index.generation(stream, wireGeneration);
    checkOrder(firstLine, held?.lines ?? 0, named);
    if (held !== undefined) return held;
    const { generation, file } = await this.#newFile(stream);
    const session = { stream, generation, wireGeneration, agentId, sessionId, file };
    const after = unnamedAfter(named, { through });
    this.#index.announce({ ...session, owner: ownerOf(place), unnamedAfter: after });
    return { ...session, bytes: 0 };
  }

  /** A file that is there without being in the index is somebody else's. */
  async #newFile(stream: string): Promise<{ generation: number; file: string }> {
    for (let generation = this.#index.nextGeneration(stream); ; generation++) {
      const file = fileOf(stream, generation);
      if (!(await exists(join(this.#dir, file)))) return { generation, file };
    }
  }

  delete(deletion: Deletion): Promise<Deleted> {
    return this.#oneAtATime(() => this.#delete(deletion));
  }

  async #delete(deletion: Deletion): Promise<Deleted> {
    const { generations, ...deleted } = this.#index.delete(deletion);
    await removeFiles(generations.map(({ file }) => join(this.#dir, file)));
    this.#index.forget(generations);
    return deleted;
  }

  countRefusal(code: string, message: string): void {
    this.#index.countRefusal(code, message, this.#timestamp());
  }

  sessions(): SessionSummary[] {
    return this.#index
      .sessions()
      .filter((row) => row.parts > 0)
      .map(({ stream: _, owner: __, wireGeneration: ___, ...row }) => ({
        ...row,
        file: join(this.#dir, row.file),
      }));
  }

  stats(): ReceiverStats {
    return this.#index.stats();
  }

  /** Waits for the commit or the deletion that is under way. */
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

/** Takes back what a crash left: files of which nothing was committed, or that were being deleted, and ends. */
async function recover(dir: string, index: Index): Promise<void> {
  const rows = index.sessions();
  const unused = rows.filter(({ parts }) => parts === 0);
  await removeFiles(unused.map(({ file }) => join(dir, file)));
  index.forget(unused);
  for (const row of rows) {
    if (row.parts > 0) await cutToLength(join(dir, row.file), row.bytes);
  }
}

async function cutToLength(path: string, bytes: number): Promise<void> {
  try {
    await truncateTo(path, bytes);
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
