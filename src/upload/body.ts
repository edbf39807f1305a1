import split2 from "split2";
import { type LineCounts, noLines, sentLines, toPayload } from "../lines/entry.ts";
import { omittedLine, wholeLines } from "../lines/line-splitter.ts";
import { MAX_LINE_BYTES } from "../protocol/limits.ts";
import type { Coding } from "../protocol/wire.ts";
import { entryDigest } from "../stores/entry-digest.ts";
import { Compressor } from "./compressor.ts";
import { type EnvelopeFields, EnvelopeWriter } from "./envelope.ts";

export interface BodySource {
  /** Raw bytes of the part's range, or the size of the one line that is left out. */
  readonly lines: AsyncIterable<Buffer> | { readonly omittedBytes: number };
  readonly fields: EnvelopeFields;
  /** `lineIndex` of the first line. */
  readonly firstLine: number;
  readonly coding: Coding;
  /**
   * The failure to end with at a line that is not JSON, which has this many before it
   * in the part. Without it such a line is sent as `raw`.
   */
  readonly notJson?: ((index: number) => Promise<Error>) | undefined;
}

/** One part's request body: read it once, then ask what was in it. */
export interface Body extends AsyncDisposable {
  readonly coding: Coding;
  /** The compressed bytes. Rejects with what went wrong in any stage. */
  readonly chunks: AsyncIterable<Buffer>;
  /** Valid once `chunks` has ended. */
  readonly counts: LineCounts;
  /** What reading the transcript threw, or found in it, as opposed to what the network did. */
  readonly sourceError: unknown;
  /** {@link entryDigest} of the last entry that was sent, if there was one. */
  lastEntry(): string | undefined;
}

/**
 * range -> whole lines -> split2 -> entry check and count -> envelope -> blocks ->
 * gzip or zstd. Backpressure goes all the way: nothing is read ahead of what the
 * socket takes beyond a few blocks. Disposing closes every stage at any moment.
 */
export function createBody(source: BodySource): Body {
  const { lines, fields, firstLine, coding, notJson } = source;
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

  const full: Buffer[] = [];
  let damagedAt: number | undefined;
  const onNotJson = (): void => {
    damagedAt ??= sentLines(counts);
  };
  const toBlock = (line: string): undefined => {
    const payload = toPayload(line, counts, onNotJson);
    if (payload === null) return;
    last = payload;
    const block = writer.add(payload);
    if (block !== undefined) full.push(block);
  };
  // `decodeStrings: false` hands the line splitter's binary strings to split2 as they are.
  const splitter = split2("\n", toBlock, { decodeStrings: false });
  const compressor = new Compressor(coding, (block) => writer.reuse(block));
  splitter.on("error", (error) => compressor.output.destroy(error));

  const chunks =
    "omittedBytes" in lines
      ? [omittedLine(lines.omittedBytes)]
      : wholeLines(watched(lines), {
          maxLineBytes: MAX_LINE_BYTES,
          onInvalidUtf8: (count) => {
            counts.invalidUtf8 += count;
          },
        });
  const pump = async (): Promise<void> => {
    for await (const chunk of chunks) {
      // Every line of the chunk has been through `toBlock` when this returns.
      splitter.write(chunk);
      if (damagedAt !== undefined && notJson !== undefined) {
        sourceError = await notJson(damagedAt).catch((error: unknown) => error);
        throw sourceError;
      }
      for (const block of full.splice(0)) await compressor.add(block);
      if (compressor.ended) return;
    }
    const rest = writer.flush();
    if (rest !== undefined) await compressor.add(rest);
    await compressor.end();
  };
  const done = pump().catch((error: unknown) => {
    compressor.output.destroy(error instanceof Error ? error : new Error(String(error)));
  });

  return {
    coding,
    chunks: compressor.output,
    counts,
    get sourceError() {
      return sourceError;
    },
    lastEntry: () =>
      last === undefined ? undefined : entryDigest(Buffer.from(last, "latin1").toString("utf8")),
    async [Symbol.asyncDispose]() {
      compressor.output.destroy();
      splitter.destroy();
      await done;
    },
  };
}
