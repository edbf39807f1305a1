import { setImmediate } from "node:timers/promises";
import { promisify } from "node:util";
import { zstdDecompress, zstdDecompressSync } from "node:zlib";

/** Up to here decompressing takes less time than a trip to the thread pool. */
const SYNC_BYTES = 64 * 1024;

/** Event-loop time unpacking may take before others get their turn, in ms. */
const SLICE_MS = 5;

/** Least that zlib takes, `zlib.constants.Z_MIN_CHUNK`. */
const MIN_CHUNK_BYTES = 64;

/** What every frame begins with. */
const MAGIC = 0xfd2fb528;

/** With magic number and block header; a frame that is shorter has no content to speak of. */
const MAX_HEADER_BYTES = 18;

const decompress = promisify(zstdDecompress);

/**
 * Unpacks one frame.
 *
 * @param bytes what it has to unpack to, at least 1; less is for the caller to see
 * @throws {Error} what zlib throws, also for a frame that unpacks to more
 */
export async function unpack(frame: Uint8Array, bytes: number): Promise<Buffer> {
  const options = {
    // A blob that promises little and unpacks to much fails instead of filling the memory.
    maxOutputLength: bytes,
    // All of it at once and one byte to spare. zlib's own 16 KiB for each of many small events keep the collector busy.
    chunkSize: Math.max(MIN_CHUNK_BYTES, bytes + 1),
  };
  return bytes <= SYNC_BYTES ? zstdDecompressSync(frame, options) : decompress(frame, options);
}

/** Two frames of one byte each. */
const TWO_FRAMES = Buffer.from("28b52ffd200109000061".repeat(2), "hex");

/** Whether one call takes frames that follow each other: since Node 26; before, it stops behind the first. */
const TAKES_SEVERAL = zstdDecompressSync(TWO_FRAMES).length === 2;

/** A frame among those that follow each other: its length, and that of what it unpacks to. */
export interface FrameSize {
  readonly stored: number;
  readonly bytes: number;
}

/**
 * Unpacks frames that follow each other. Null if one of them is not what it has to be, which
 * `unpack` says of each by itself.
 */
export async function unpackAll(
  frames: Buffer,
  sizes: readonly FrameSize[],
): Promise<readonly Buffer[] | null> {
  const together = unpackTogether(frames, sizes);
  const texts: Buffer[] = [];
  let at = 0;
  let textAt = 0;
  let slice = performance.now();
  for (const { stored, bytes } of sizes) {
    const frame = frames.subarray(at, at + stored);
    const text =
      together?.subarray(textAt, textAt + bytes) ?? (await unpack(frame, bytes).catch(() => null));
    if (text?.length !== bytes) return null;
    texts.push(text);
    at += stored;
    textAt += bytes;
    if (performance.now() - slice > SLICE_MS) {
      await setImmediate();
      slice = performance.now();
    }
  }
  return texts;
}

/** In one call, which spares making a decompressor for each. Null where that cannot be done. */
function unpackTogether(frames: Buffer, sizes: readonly FrameSize[]): Buffer | null {
  if (!TAKES_SEVERAL || sizes.length === 0) return null;
  let at = 0;
  let total = 0;
  for (const { stored, bytes } of sizes) {
    // What a frame declares zlib holds it to, so that none can take what belongs to another.
    if (declaredSize(frames.subarray(at, at + stored)) !== bytes) return null;
    at += stored;
    total += bytes;
  }
  try {
    const texts = zstdDecompressSync(frames, { maxOutputLength: total, chunkSize: total + 1 });
    return texts.length === total ? texts : null;
  } catch {
    return null;
  }
}

/** Length of the content by a frame's header (RFC 8878, 3.1.1.1), null when it is not there or above 4 GiB. */
function declaredSize(frame: Buffer): number | null {
  const descriptor = frame[4];
  if (descriptor === undefined || frame.length < MAX_HEADER_BYTES) return null;
  if (frame.readUInt32LE(0) !== MAGIC) return null;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 0x03] ?? 0;
  const at = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  switch (descriptor >> 6) {
    case 0:
      return isSingleSegment ? frame.readUInt8(at) : null;
    case 1:
      return frame.readUInt16LE(at) + 256;
    case 2:
      return frame.readUInt32LE(at);
    default:
      return null;
  }
}
