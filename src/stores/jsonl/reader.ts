import { createHash } from "node:crypto";
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
import { dirname, sep } from "node:path";
import { errnoOf, SourceChangedError, StoreError } from "../../problem.ts";
import {
  type Cut,
  type CutOptions,
  isAtRest,
  MAX_LINE_BYTES,
  MAX_PART_BYTES,
  type Position,
  type Reader,
  type Stream,
  type Verdict,
} from "../store.ts";
import { isJsonObject, looksLikeSession } from "./content.ts";
import { LIVE_RANK } from "./list.ts";

const NEWLINE = 0x0a;

/** Space, tab, CR and LF: what a line may hold that is not sent. */
const BLANK = new Set([0x20, 0x09, 0x0d, NEWLINE]);
const SCAN_BYTES = 64 * 1024;
const READ_BYTES = 256 * 1024;
const LONG_SCAN_BYTES = 1024 * 1024;

/** A fingerprint covers the beginning of the file, which names the session, and what lies just before the position. */
const HEAD_BYTES = 1024;
const TAIL_BYTES = 4096;

/**
 * Opens one transcript file. Its size is read once: everything later is about that snapshot.
 *
 * @throws {StoreError} `UNREADABLE` when it cannot be opened, `NOT_A_SESSION` when its content is something else.
 */
export async function openJsonl(
  path: string,
  stream: Stream,
  now: () => number,
): Promise<JsonlReader> {
  const file = await openRegular(path, stream.source);
  try {
    const { size, mtimeMs } = await file.stat();
    // Nobody writes to what a reset set aside.
    const atRest = stream.rank !== LIVE_RANK || isAtRest({ changedAt: mtimeMs }, now());
    const reader = new JsonlReader(file, size, atRest);
    if (size > 0 && !looksLikeSession(await reader.bytes(0, Math.min(SCAN_BYTES, size)))) {
      throw new StoreError(
        "NOT_A_SESSION",
        `${stream.source} does not begin like an OpenClaw session and is not sent; move it out of the sessions folder`,
      );
    }
    return reader;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** A symlink is followed only to a file beside it, also when it was swapped in after the folder was listed. */
async function openRegular(path: string, name: string): Promise<FileHandle> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    return await open(path, flags);
  } catch (error) {
    if (errnoOf(error) === "ELOOP") {
      const [target, root] = await Promise.all([realpath(path), realpath(dirname(path))]);
      if (target.startsWith(root + sep)) return open(target, flags);
    }
    const reason = errnoOf(error) === "ENOENT" ? "it is gone" : errnoOf(error) || String(error);
    throw new StoreError("UNREADABLE", `${name} cannot be opened (${reason})`, { cause: error });
  }
}

export class JsonlReader implements Reader {
  readonly #file: FileHandle;
  readonly #size: number;
  readonly #atRest: boolean;

  constructor(file: FileHandle, size: number, atRest: boolean) {
    this.#file = file;
    this.#size = size;
    this.#atRest = atRest;
  }

  async verify(position: Position): Promise<Verdict> {
    const { offset, fingerprint } = position;
    if (offset === 0) return "same";
    if (offset <= this.#size && (await this.#fingerprint(offset)) === fingerprint) return "same";
    return this.#atRest ? "changed" : "unsettled";
  }

  bytesAfter(offset: number): Promise<number> {
    return Promise.resolve(Math.max(0, this.#size - offset));
  }

  async cut(from: number, { maxBytes, signal }: CutOptions): Promise<Cut> {
    if (from >= this.#size) return { kind: "end", torn: false };
    const limit = Math.min(this.#size, from + Math.min(maxBytes, MAX_PART_BYTES));
    const newline = await this.#lastNewline(from, limit);
    if (newline !== -1) {
      const range = await this.#range(from, newline + 1);
      return { ...range, blank: await this.#isBlank(from, range.end) };
    }

    const lineEnd = await this.#nextNewline(limit, signal);
    if (lineEnd === -1) return this.#lastLine(from, maxBytes);
    const bytes = lineEnd + 1 - from;
    if (bytes > MAX_LINE_BYTES) return this.#range(from, lineEnd + 1, true);
    return { kind: "over", bytes };
  }

  async *read(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      signal?.throwIfAborted();
      const block = await this.bytes(at, Math.min(READ_BYTES, end - at));
      if (block.length === 0) {
        throw new SourceChangedError("the transcript became shorter while it was read");
      }
      at += block.length;
      yield block;
    }
  }

  async legacyEnd(
    sizeBytes: number,
    sha256: string,
  ): Promise<{ offset: number; fingerprint: string } | null> {
    if (sizeBytes > this.#size) return null;
    const hash = createHash("sha256");
    for await (const block of this.read(0, sizeBytes)) hash.update(block);
    if (hash.digest("hex") !== sha256) return null;
    // The earlier plugin sent a torn last line as if it were whole: that line goes again, entire.
    const offset = (await this.#lastNewline(0, sizeBytes)) + 1;
    return { offset, fingerprint: offset === 0 ? "" : await this.#fingerprint(offset) };
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Up to `length` bytes at `offset`; fewer only at the end of the file. */
  bytes(offset: number, length: number): Promise<Buffer> {
    return this.#fill(Buffer.allocUnsafe(length), offset);
  }

  async #fill(buffer: Buffer, offset: number): Promise<Buffer> {
    let filled = 0;
    while (filled < buffer.length) {
      const left = buffer.length - filled;
      const { bytesRead } = await this.#file.read(buffer, filled, left, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  async #range(from: number, end: number, omitted = false): Promise<Cut & { kind: "range" }> {
    const fingerprint = await this.#fingerprint(end);
    return { kind: "range", end, bytes: end - from, fingerprint, omitted };
  }

  /** A last line without newline is complete only when nobody is writing and it parses. */
  async #lastLine(from: number, maxBytes: number): Promise<Cut> {
    const bytes = this.#size - from;
    if (!this.#atRest || bytes > MAX_LINE_BYTES) return { kind: "end", torn: true };
    if (!isJsonObject(await this.bytes(from, bytes))) return { kind: "end", torn: true };
    return bytes > maxBytes ? { kind: "over", bytes } : this.#range(from, this.#size);
  }

  async #fingerprint(offset: number): Promise<string> {
    const head = await this.bytes(0, Math.min(HEAD_BYTES, offset));
    const tailStart = Math.max(0, offset - TAIL_BYTES);
    const tail = await this.bytes(tailStart, offset - tailStart);
    return createHash("sha256").update(head).update("\0").update(tail).digest("hex").slice(0, 32);
  }

  async #isBlank(from: number, end: number): Promise<boolean> {
    for (let at = from; at < end; at += SCAN_BYTES) {
      const block = await this.bytes(at, Math.min(SCAN_BYTES, end - at));
      if (!block.every((byte) => BLANK.has(byte))) return false;
    }
    return true;
  }

  /** Offset of the last newline in `[from, to)`, or -1. */
  async #lastNewline(from: number, to: number): Promise<number> {
    for (let end = to; end > from; ) {
      const start = Math.max(from, end - SCAN_BYTES);
      const at = (await this.bytes(start, end - start)).lastIndexOf(NEWLINE);
      if (at !== -1) return start + at;
      end = start;
    }
    return -1;
  }

  /** Offset of the first newline at or after `from`, or -1. */
  async #nextNewline(from: number, signal?: AbortSignal): Promise<number> {
    // One buffer for all of a line that may be gigabytes long.
    const buffer = Buffer.allocUnsafe(Math.min(LONG_SCAN_BYTES, this.#size - from));
    for (let at = from; at < this.#size; ) {
      signal?.throwIfAborted();
      const block = await this.#fill(buffer, at);
      if (block.length === 0) return -1;
      const index = block.indexOf(NEWLINE);
      if (index !== -1) return at + index;
      at += block.length;
    }
    return -1;
  }
}
