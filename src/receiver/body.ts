import { createHash } from "node:crypto";
import { type FileHandle, open } from "node:fs/promises";
import type { Readable } from "node:stream";
import { finished, pipeline } from "node:stream/promises";
import split2 from "split2";
import { errnoOf } from "../shared/problem.ts";
import type { Decoder } from "./codings.ts";
import { maxBodyBytes, type PartLimits, tooLarge } from "./limits.ts";
import { wholeLines } from "./lines.ts";
import { type PartContent, PartTally } from "./part.ts";
import { Refusal } from "./refusal.ts";
import { CutShortError } from "./zstd.ts";

/** A part whose whole body arrived; its payloads wait in `file` to be committed. */
export interface StagedPart extends PartContent {
  readonly file: string;
  /** Of the decoded body, as 64 hex digits. */
  readonly sha256: string;
  /** Bytes of the body as it was sent. */
  readonly wireBytes: number;
  /** Bytes of the body after decompression. */
  readonly decodedBytes: number;
}

/**
 * Writes the payloads of a body to the new file `file`, one per line, in bounded
 * memory. Whatever happens, `source` is left open, so that it can still be answered.
 *
 * @throws {Refusal} when the body is not a part, or not intact.
 */
export async function stageBody(
  source: Readable,
  decoder: Decoder,
  file: string,
  limits: PartLimits,
): Promise<StagedPart> {
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

  const staging = await open(file, "wx", 0o600);
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
      (lines: AsyncIterable<string>) => writePayloads(lines, tally, staging, limits.payloadBytes),
    );
  } catch (error) {
    throw isCodingError(error) ? notIntact(error) : error;
  } finally {
    await staging.close();
  }
  // Node passes over what follows a gzip stream if it begins with a zero byte.
  if ((decoder.bytesWritten ?? wireBytes) < wireBytes) throw notIntact();
  return { ...tally.finish(), file, sha256: hash.digest("hex"), wireBytes, decodedBytes };
}

const BLOCK_LENGTH = 64 * 1024;

async function writePayloads(
  lines: AsyncIterable<string>,
  tally: PartTally,
  staging: FileHandle,
  maxBytes: number,
): Promise<void> {
  let block = "";
  let bytes = 0;
  const write = async (): Promise<void> => {
    bytes += Buffer.byteLength(block);
    if (bytes > maxBytes) throw tooLarge("its entries have", maxBytes);
    await staging.appendFile(block);
    block = "";
  };
  for await (const line of lines) {
    if (line.trim() === "") continue;
    const payload = tally.add(line);
    if (payload !== undefined) block += `${payload}\n`;
    if (block.length >= BLOCK_LENGTH) await write();
  }
  await write();
}

function notIntact(cause?: unknown): Refusal {
  const message = "the body is cut short or not what its Content-Encoding says";
  return new Refusal(400, "BODY_NOT_INTACT", message, { cause });
}

/** Those of zlib have no class. */
function isCodingError(error: unknown): boolean {
  return error instanceof CutShortError || /^(Z_|ZSTD_error_)/.test(errnoOf(error));
}
