import { createHash } from "node:crypto";
import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../../protocol/limits.ts";
import { NotAFileError, openRegularSync } from "../../shared/open-file.ts";
import { errnoOf, NotASessionError, SourceChangedError, StoreError } from "../../shared/problem.ts";
import { isIdle } from "../idle.ts";
import type { Cut, CutOptions, Position, Reader, Searched, Stream, Verdict } from "../store.ts";
import { isJsonObject, isSeparatedByReturns, looksLikeSession, startTimeOf } from "./content.ts";
import { TranscriptFile } from "./file.ts";
import { LIVE_RANK } from "./list.ts";

/** Most bytes of a line that one cut searches for its end, beyond those that any part may have. */
export const MAX_SEARCH_BYTES = 64 * 1024 * 1024;

const NEWLINE = 0x0a;

/** Space, tab, CR and LF: what a line may hold that is not sent. */
const BLANK = new Set([0x20, 0x09, 0x0d, NEWLINE]);
const SCAN_BYTES = 64 * 1024;
const READ_BYTES = 256 * 1024;
const LONG_SCAN_BYTES = 1024 * 1024;

/** A file up to this size is read at once, in bytes: for all that is asked of it, a small session was read two dozen times. */
const SHORT_BYTES = 64 * 1024;

/** A fingerprint covers the beginning of the file, which names the session, and what lies just before the position. */
const HEAD_BYTES = 1024;
const TAIL_BYTES = 4096;

/** Zero bytes at the head of a file that are passed over: a power failure leaves them. */
const MAX_ZERO_BYTES = 64 * 1024 * 1024;

/** After such a head the rest of a line comes first, which may be long. */
const HEAD_AFTER_ZEROS_BYTES = 1024 * 1024;

/**
 * Opens one transcript file. Its size is read once: everything later is about that snapshot.
 *
 * @param now wall clock, in ms since the epoch
 * @param signal ends whatever the reader is doing, also later
 * @throws {StoreError} `UNREADABLE` when it cannot be opened, `NOT_A_SESSION` when its
 *   content is something else, `NO_LINES` when its lines have no ends
 * @throws {SourceChangedError} when another file has its name by now
 */
export async function openJsonl(
  path: string,
  stream: Stream,
  now: () => number,
  signal?: AbortSignal,
): Promise<JsonlReader> {
  const { fd, stats } = openFile(path, stream);
  const file = new TranscriptFile(fd);
  try {
    const { size, mtimeMs, ino } = stats;
    if (stream.file !== undefined && stream.file.inode !== ino) {
      throw new SourceChangedError(`${stream.source} is another file than the one that was listed`);
    }
    // Nobody writes to what a reset set aside.
    const isArchive = stream.rank !== LIVE_RANK;
    const atRest = isArchive || isIdle({ changedAt: mtimeMs }, now());
    const reader = new JsonlReader(file, { size, atRest, isArchive, signal });
    if (size > 0) await assertSession(reader, stream.source, { size, atRest });
    return reader;
  } catch (error) {
    await file.close();
    throw error;
  }
}

function openFile(
  path: string,
  { source: name, file: listed }: Pick<Stream, "source" | "file">,
): ReturnType<typeof openRegularSync> {
  try {
    return openRegularSync(path, { isListed: listed !== undefined });
  } catch (error) {
    if (errnoOf(error) === "ELOOP") {
      throw new SourceChangedError(`${name} is another file than the one that was listed`);
    }
    const reason =
      error instanceof NotAFileError
        ? error.message
        : errnoOf(error) === "ENOENT"
          ? "it is gone"
          : errnoOf(error) || String(error);
    throw new StoreError("UNREADABLE", `${name} cannot be opened (${reason})`, { cause: error });
  }
}

async function assertSession(
  reader: JsonlReader,
  name: string,
  { size, atRest }: { size: number; atRest: boolean },
): Promise<void> {
  let head = await reader.bytes(0, Math.min(SCAN_BYTES, size));
  if (head[0] === 0) {
    const start = await reader.firstContent(MAX_ZERO_BYTES);
    if (start === null) throw onlyZeros(name, size);
    head = await reader.bytes(start, Math.min(HEAD_AFTER_ZEROS_BYTES, size - start));
  }
  if (atRest && isSeparatedByReturns(head)) {
    throw new StoreError(
      "NO_LINES",
      `${name} separates its lines by carriage returns alone, and lines end in newlines; convert it, e.g. with "tr '\\r' '\\n'"`,
    );
  }
  if (!looksLikeSession(head)) {
    throw new NotASessionError(
      `${name} does not begin like an OpenClaw session and is not sent; move it out of the sessions folder`,
    );
  }
}

function onlyZeros(name: string, size: number): NotASessionError {
  const zeros = size <= MAX_ZERO_BYTES ? "holds only" : "begins with more than 64 MiB of";
  return new NotASessionError(
    `${name} ${zeros} zero bytes, as a power failure leaves them; there is nothing in it that could be sent`,
  );
}

export interface Snapshot {
  /** Bytes. */
  readonly size: number;
  /** Nobody is writing to it. */
  readonly atRest: boolean;
  /** Nobody ever will. */
  readonly isArchive: boolean;
  readonly signal?: AbortSignal | undefined;
}

export class JsonlReader implements Reader {
  readonly #file: TranscriptFile;
  readonly #size: number;
  readonly #atRest: boolean;
  readonly #isArchive: boolean;
  readonly #signal: AbortSignal | undefined;
  /** All of a short file, as it was when it was last verified. */
  #content: Buffer | undefined;

  constructor(file: TranscriptFile, { size, atRest, isArchive, signal }: Snapshot) {
    this.#file = file;
    this.#size = size;
    this.#atRest = atRest;
    this.#isArchive = isArchive;
    this.#signal = signal;
  }

  async verify(position: Position): Promise<Verdict> {
    const { offset, fingerprint } = position;
    this.#content = undefined;
    if (offset === 0) return "same";
    if (offset <= this.#size && (await this.#fingerprint(offset)) === fingerprint) return "same";
    return this.#atRest ? "changed" : "unsettled";
  }

  bytesAfter(offset: number): Promise<number> {
    return Promise.resolve(Math.max(0, this.#size - offset));
  }

  async cut(from: number, { maxBytes, signal, searched }: CutOptions): Promise<Cut> {
    if (from >= this.#size) return { kind: "end", torn: false };
    const limit = Math.min(this.#size, from + Math.min(maxBytes, MAX_PART_BYTES));
    const newline = await this.#lastNewline(from, limit);
    if (newline !== -1) {
      const range = await this.#range(from, newline + 1);
      return { ...range, blank: await this.#isBlank(from, range.end) };
    }

    const start = Math.max(limit, await this.#searchedTo(from, searched));
    // However little the range may have: what one cut finds the end of, every other one does.
    const end = Math.min(this.#size, Math.max(start, from + MAX_PART_BYTES) + MAX_SEARCH_BYTES);
    const lineEnd = await this.#nextNewline(start, end, signal);
    if (lineEnd !== -1) {
      const bytes = lineEnd + 1 - from;
      if (bytes > MAX_LINE_BYTES) return this.#range(from, lineEnd + 1, true);
      return { kind: "over", bytes };
    }
    if (end === this.#size) return this.#lastLine(from, maxBytes);
    const fingerprint = await this.#fingerprint(end);
    return { kind: "unfinished", searched: { from, to: end, fingerprint } };
  }

  async *read(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      this.#heed(signal);
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

  async startTime(): Promise<number | null> {
    return startTimeOf(await this.bytes(0, Math.min(SCAN_BYTES, this.#size)));
  }

  async close(): Promise<void> {
    await this.#file.close();
  }

  /** Offset of the first byte that is not zero, or null when there is none among the first `maxBytes`. */
  async firstContent(maxBytes: number): Promise<number | null> {
    const end = Math.min(this.#size, maxBytes);
    let buffer = Buffer.allocUnsafe(Math.min(SCAN_BYTES, end));
    let zeros = Buffer.alloc(0);
    for (let at = 0; at < end; ) {
      this.#heed();
      const block = await this.#file.fill(buffer.subarray(0, end - at), at);
      // Byte by byte, this would block the event loop.
      if (block.length === 0 || !block.equals(zeros.subarray(0, block.length))) {
        const index = block.findIndex((byte) => byte !== 0);
        if (index !== -1 || block.length === 0) return index === -1 ? null : at + index;
        buffer = Buffer.allocUnsafe(Math.min(LONG_SCAN_BYTES, end));
        zeros = Buffer.alloc(buffer.length);
      }
      at += block.length;
    }
    return null;
  }

  /** Up to `length` bytes at `offset`; fewer only at the end of the file. */
  async bytes(offset: number, length: number): Promise<Buffer> {
    if (this.#size > SHORT_BYTES) return this.#file.fill(Buffer.allocUnsafe(length), offset);
    this.#content ??= await this.#file.fill(Buffer.allocUnsafe(this.#size), 0);
    return this.#content.subarray(offset, offset + length);
  }

  async #range(from: number, end: number, omitted = false): Promise<Cut & { kind: "range" }> {
    const fingerprint = await this.#fingerprint(end);
    return { kind: "range", end, bytes: end - from, fingerprint, omitted };
  }

  /** A last line without newline is complete only when nobody is writing and it parses. */
  async #lastLine(from: number, maxBytes: number): Promise<Cut> {
    const bytes = this.#size - from;
    const unfinished: Cut = this.#isArchive
      ? { kind: "end", torn: false, cutOff: bytes }
      : { kind: "end", torn: true };
    if (!this.#atRest || bytes > MAX_LINE_BYTES) return unfinished;
    const line = await this.bytes(from, bytes);
    if (line.every((byte) => BLANK.has(byte))) return { kind: "end", torn: false };
    if (!isJsonObject(line)) return unfinished;
    return bytes > maxBytes ? { kind: "over", bytes } : this.#range(from, this.#size);
  }

  /** How far an earlier search went, if what it has seen is still there; else 0. */
  async #searchedTo(from: number, searched: Searched | undefined): Promise<number> {
    if (searched?.from !== from || searched.to > this.#size) return 0;
    return (await this.#fingerprint(searched.to)) === searched.fingerprint ? searched.to : 0;
  }

  async #fingerprint(offset: number): Promise<string> {
    const head = await this.bytes(0, Math.min(HEAD_BYTES, offset));
    const tailStart = Math.max(0, offset - TAIL_BYTES);
    const tail = await this.bytes(tailStart, offset - tailStart);
    return createHash("sha256").update(head).update("\0").update(tail).digest("hex").slice(0, 32);
  }

  async #isBlank(from: number, end: number): Promise<boolean> {
    for (let at = from; at < end; at += SCAN_BYTES) {
      this.#heed();
      const block = await this.bytes(at, Math.min(SCAN_BYTES, end - at));
      if (!block.every((byte) => BLANK.has(byte))) return false;
    }
    return true;
  }

  /** Offset of the last newline in `[from, to)`, or -1. */
  async #lastNewline(from: number, to: number): Promise<number> {
    for (let end = to; end > from; ) {
      this.#heed();
      const start = Math.max(from, end - SCAN_BYTES);
      const at = (await this.bytes(start, end - start)).lastIndexOf(NEWLINE);
      if (at !== -1) return start + at;
      end = start;
    }
    return -1;
  }

  /** Offset of the first newline in `[from, to)`, or -1. */
  async #nextNewline(from: number, to: number, signal?: AbortSignal): Promise<number> {
    // One buffer for all of a line that may be very long.
    const buffer = Buffer.allocUnsafe(Math.min(LONG_SCAN_BYTES, to - from));
    for (let at = from; at < to; ) {
      this.#heed(signal);
      const block = await this.#file.fill(buffer.subarray(0, to - at), at);
      if (block.length === 0) return -1;
      const index = block.indexOf(NEWLINE);
      if (index !== -1) return at + index;
      at += block.length;
    }
    return -1;
  }

  #heed(signal?: AbortSignal): void {
    this.#signal?.throwIfAborted();
    signal?.throwIfAborted();
  }
}
