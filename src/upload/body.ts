import { Readable, type Transform } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import split2 from "split2";
import { entryDigest } from "../stores/entry-digest.ts";
import { MAX_LINE_BYTES } from "../stores/store.ts";
import { type LineCounts, noLines, toPayload } from "./entry.ts";
import { BLOCK_BYTES, type EnvelopeFields, EnvelopeWriter } from "./envelope.ts";
import { omittedLine, wholeLines } from "./guard.ts";

/** See docs/performance.md for how these were chosen. */
export const GZIP = {
  level: 5,
  memLevel: 9,
  chunkSize: 64 * 1024,
  // Blocks wait in front of zlib, so that its thread need not wait for this one.
  highWaterMark: 3 * BLOCK_BYTES,
};

export interface BodySource {
  /** Raw bytes of the part's range, or the size of the one line that is left out. */
  readonly lines: AsyncIterable<Buffer> | { readonly omittedBytes: number };
  readonly fields: EnvelopeFields;
  /** `lineIndex` of the first line. */
  readonly firstLine: number;
}

/** One part's request body: read it once, then ask what was in it. */
export interface Body extends AsyncDisposable {
  /** The compressed bytes. Rejects with what went wrong in any stage. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Valid once `chunks` has ended. */
  readonly counts: LineCounts;
  /** What reading the transcript threw, as opposed to what the network did. */
  readonly sourceError: unknown;
  /** {@link entryDigest} of the last entry that was sent, if there was one. */
  lastEntry(): string | undefined;
}

/**
 * range -> whole lines -> split2 -> entry check and count -> envelope -> 64 KiB
 * blocks -> gzip. Backpressure goes all the way: nothing is read ahead of what the
 * socket takes beyond a few blocks. Disposing closes every stage at any moment.
 */
export function createBody({ lines, fields, firstLine }: BodySource): Body {
  const counts = noLines();
  const writer = new EnvelopeWriter(fields, firstLine);
  let last: string | undefined;
  let sourceError: unknown;

  async function* watched(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* bytes;
    } catch (error) {
      sourceError = error;
      throw error;
    }
  }

  const toBlock = (line: string): Buffer | undefined => {
    const payload = toPayload(line, counts);
    if (payload === null) return undefined;
    last = payload;
    return writer.add(payload);
  };

  const source =
    "omittedBytes" in lines
      ? Readable.from([omittedLine(lines.omittedBytes)])
      : Readable.from(
          wholeLines(watched(lines), {
            maxLineBytes: MAX_LINE_BYTES,
            onInvalidUtf8: (count) => {
              counts.invalidUtf8 += count;
            },
          }),
          { highWaterMark: 1 },
        );
  // `decodeStrings: false` hands the guard's binary strings to split2 as they are.
  const splitter: Transform = split2("\n", toBlock, {
    decodeStrings: false,
    readableHighWaterMark: 1,
    writableHighWaterMark: 1,
  });
  const gzip = createGzip(GZIP);
  const abort = new AbortController();
  const done = pipeline(
    source,
    splitter,
    async function* lastBlock(blocks: AsyncIterable<Buffer>) {
      yield* blocks;
      const rest = writer.flush();
      if (rest !== undefined) yield rest;
    },
    gzip,
    { signal: abort.signal },
  );
  // The failure also reaches whoever reads `chunks`; this only keeps it from counting as unhandled.
  done.catch(() => undefined);

  return {
    chunks: gzip,
    counts,
    get sourceError() {
      return sourceError;
    },
    lastEntry: () =>
      last === undefined ? undefined : entryDigest(Buffer.from(last, "latin1").toString("utf8")),
    async [Symbol.asyncDispose]() {
      abort.abort();
      gzip.destroy();
      await done.catch(() => undefined);
    },
  };
}
