import { createHash } from "node:crypto";
import type { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import split2 from "split2";
import { errnoOf } from "../shared/problem.ts";
import type { Draft, Entry, Place, ReceivedPart } from "./backend.ts";
import type { Decoder } from "./codings.ts";
import { maxBodyBytes, type PartLimits, tooLarge } from "./limits.ts";
import { wholeLines } from "./lines.ts";
import { PartTally } from "./part.ts";
import { Refusal } from "./refusal.ts";
import { CutShortError } from "./zstd.ts";

export interface BodyOptions {
  readonly decoder: Decoder;
  readonly limits: PartLimits;
  /** Called as soon as it is known where the part belongs. @throws {Refusal} when it may not go there */
  readonly admit: (place: Place) => void;
}

/**
 * Reads a body to its end and gives its entries to `draft`, in bounded memory. Whatever
 * happens, `source` is left open, so that it can still be answered.
 *
 * @throws {Refusal} when the body is not a part, or not intact.
 */
export async function readBody(
  source: Readable,
  draft: Draft,
  { decoder, limits, admit }: BodyOptions,
): Promise<ReceivedPart> {
  const hash = createHash("sha256");
  const tally = new PartTally();
  const maxBytes = maxBodyBytes(limits.lines, limits);
  let wireBytes = 0;
  let decodedBytes = 0;

  async function* metered(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      decodedBytes += chunk.length;
      hash.update(chunk);
      yield chunk;
    }
  }

  try {
    // `pipeline` would destroy the request, and with it the socket of the answer.
    source.on("data", (chunk: Buffer) => {
      wireBytes += chunk.length;
      // Frames without content may go on for ever.
      if (wireBytes > maxBytes) decoder.destroy(tooLarge("its body has", maxBytes));
    });
    source.pipe(decoder);
    finished(source, { writable: false }).catch((error: Error) => decoder.destroy(error));
    await pipeline(
      decoder,
      (chunks: AsyncIterable<Buffer>) => wholeLines(metered(chunks), limits),
      split2("\n"),
      (lines: AsyncIterable<string>) =>
        addEntries(lines, tally, admittedTo(draft, admit), limits.payloadBytes),
    );
  } catch (error) {
    throw isCodingError(error) ? notIntact(error) : error;
  }
  // Node passes over what follows a gzip stream if it begins with a zero byte.
  if ((decoder.bytesWritten ?? wireBytes) < wireBytes) throw notIntact();
  const content = tally.finish();
  if (content.accepted === 0) admit(content);
  return { ...content, sha256: hash.digest("hex"), wireBytes, decodedBytes };
}

function admittedTo(draft: Draft, admit: BodyOptions["admit"]): Draft["add"] {
  let admitted = false;
  return async (place, entries) => {
    if (!admitted) admit(place);
    admitted = true;
    await draft.add(place, entries);
  };
}

const BLOCK_BYTES = 64 * 1024;

async function addEntries(
  lines: AsyncIterable<string>,
  tally: PartTally,
  add: Draft["add"],
  maxBytes: number,
): Promise<void> {
  let block: Entry[] = [];
  let blockBytes = 0;
  let bytes = 0;
  for await (const line of lines) {
    if (line.trim() === "") continue;
    const entry = tally.add(line);
    if (entry === undefined) continue;
    block.push(entry);
    blockBytes += Buffer.byteLength(entry.payload) + 1;
    if (bytes + blockBytes > maxBytes) throw tooLarge("its entries have", maxBytes);
    if (blockBytes < BLOCK_BYTES) continue;
    await add(tally.place, block);
    bytes += blockBytes;
    block = [];
    blockBytes = 0;
  }
  if (block.length > 0) await add(tally.place, block);
}

function notIntact(cause?: unknown): Refusal {
  const message = "the body is cut short or not what its Content-Encoding says";
  return new Refusal(400, "BODY_NOT_INTACT", message, { cause });
}

/** Those of zlib have no class. */
function isCodingError(error: unknown): boolean {
  return error instanceof CutShortError || /^(Z_|ZSTD_error_)/.test(errnoOf(error));
}
