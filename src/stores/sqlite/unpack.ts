import { promisify } from "node:util";
import { zstdDecompress, zstdDecompressSync } from "node:zlib";

/** Up to here decompressing takes less time than a trip to the thread pool. */
const SYNC_BYTES = 64 * 1024;

/** Least that zlib takes, `zlib.constants.Z_MIN_CHUNK`. */
const MIN_CHUNK_BYTES = 64;

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
