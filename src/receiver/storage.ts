import { randomUUID } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, mkdir, open, readdir, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import pLimit from "p-limit";
import { errnoOf, InfluxionError } from "../problem.ts";
import type { StagedPart } from "./body.ts";
import { lockFolder, messageOf } from "./folder-lock.ts";
import { Index, type PartRow, type ReceiverStats, type SessionRow } from "./index-db.ts";
import { fileOf, streamOf } from "./names.ts";
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

const READ_WRITE = constants.O_RDWR | constants.O_CREAT;
const STAGING_FILE = /^[0-9a-f-]{36}\.part$/;

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
    await makeFolder(dir);
    const unlock = await lockFolder(dir);
    try {
      const index = openIndex(join(dir, "index.sqlite"));
      try {
        await removeStaged(join(dir, "staging"));
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
    return join(this.#dir, "staging", `${randomUUID()}.part`);
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
    await this.#oneAtATime(() => this.#index.close());
    this.#unlock();
  }

  #timestamp(): string {
    return new Date(this.#now()).toISOString();
  }
}

/** @throws {InfluxionError} `RECEIVER_DIR_UNUSABLE` */
async function makeFolder(dir: string): Promise<void> {
  try {
    await mkdir(join(dir, "staging"), { recursive: true, mode: 0o700 });
  } catch (error) {
    const code = errnoOf(error);
    const why =
      code === "EEXIST" || code === "ENOTDIR"
        ? "because a file is in its place"
        : `because it cannot be made or written to (${code || messageOf(error)})`;
    throw new InfluxionError(
      "RECEIVER_DIR_UNUSABLE",
      `${dir} cannot be the receiver's folder, ${why}; choose another one with --dir`,
      { cause: error },
    );
  }
}

/** @throws {InfluxionError} `RECEIVER_DAMAGED`, `RECEIVER_INDEX_TOO_NEW` */
function openIndex(path: string): Index {
  try {
    return new Index(path);
  } catch (error) {
    if (error instanceof InfluxionError) throw error;
    throw new InfluxionError(
      "RECEIVER_DAMAGED",
      `${path} is damaged (${messageOf(error)}); put it back, or choose another folder with --dir`,
      { cause: error },
    );
  }
}

async function removeStaged(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (STAGING_FILE.test(name)) await rm(join(dir, name));
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
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  await withFile(path, READ_WRITE, (file) => cutBack(file, path, row.bytes));
}

/** Puts the content of `from` at `offset`, as the new end of `path`; returns its new length. */
async function append(path: string, offset: number, from: string): Promise<number> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  return withFile(path, READ_WRITE, async (target) => {
    await cutBack(target, path, offset);
    const end = await withFile(from, constants.O_RDONLY, (source) => copy(source, target, offset));
    await target.datasync();
    return end;
  });
}

/** @throws {InfluxionError} `RECEIVER_DAMAGED` when the file has lost what was committed. */
async function cutBack(file: FileHandle, path: string, bytes: number): Promise<void> {
  const { size } = await file.stat();
  if (size < bytes) {
    throw new InfluxionError(
      "RECEIVER_DAMAGED",
      `${path} has ${size} bytes, but ${bytes} were received; put it back, or choose another folder`,
    );
  }
  if (size > bytes) await file.truncate(bytes);
}

async function withFile<T>(
  path: string,
  flags: number,
  use: (file: FileHandle) => Promise<T>,
): Promise<T> {
  const file = await open(path, flags, 0o600);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

async function copy(source: FileHandle, target: FileHandle, offset: number): Promise<number> {
  const block = Buffer.allocUnsafe(256 * 1024);
  let end = offset;
  for (;;) {
    const { bytesRead } = await source.read(block);
    if (bytesRead === 0) return end;
    for (let done = 0; done < bytesRead; ) {
      const { bytesWritten } = await target.write(block, done, bytesRead - done, end);
      done += bytesWritten;
      end += bytesWritten;
    }
  }
}
