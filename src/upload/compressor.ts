import { Transform } from "node:stream";
import { constants, createGzip, createZstdCompress, gzipSync, zstdCompressSync } from "node:zlib";
import type { Coding } from "../protocol/wire.ts";

/** See docs/performance.md for how these were chosen. */
export const GZIP = { level: 5, memLevel: 9 };
export const ZSTD = {
  params: {
    [constants.ZSTD_c_compressionLevel]: 3,
    // Half of what this level takes by itself, and memory for it, for equal sizes.
    [constants.ZSTD_c_windowLog]: 20,
    // gzip has one anyway.
    [constants.ZSTD_c_checksumFlag]: 1,
  },
};

/** How the bytes of a body are written; what is only shown on this machine is not compressed. */
export type BodyCoding = Coding | "identity";

/**
 * A longer body is compressed in blocks of this size, in bytes; small writes halve zlib's speed. What comes out is as long
 * at most, so that none needs a second trip to the thread pool: with 64 KiB the main thread took a seventh more CPU.
 */
export const BLOCK_BYTES = 256 * 1024;

/**
 * Longest body that is compressed in one call, in bytes: most parts are a turn or two, and shorter. That
 * blocks the run's thread for about a millisecond, and spares it a stream with its trips to the thread pool.
 */
export const WHOLE_BYTES = 64 * 1024;

/**
 * Blocks in zlib's hands at most: one that is being compressed on the thread pool,
 * and one behind it, so that the pool's thread need not wait for this one.
 */
const IN_FLIGHT = 2;

/**
 * Compresses a body block by block. A stream's own back-pressure would not do: its
 * `drain` comes when the queue is empty, and until the next block is made nothing
 * would be compressed.
 */
export class Compressor {
  /** The compressed bytes. Fails with what it was destroyed with. */
  readonly output: AsyncIterable<Buffer>;
  readonly #coding: BodyCoding;
  readonly #onDone: (block: Buffer) => void;
  /** All of a short body; of another what compresses it, as soon as that is known. */
  readonly #made = Promise.withResolvers<Buffer | Transform>();
  #stream: Transform | undefined;
  #inFlight = 0;
  #isDestroyed = false;
  #wake: () => void = () => undefined;

  /** @param onDone notified of each block that is compressed, and may be written to again */
  constructor(coding: BodyCoding, onDone: (block: Buffer) => void) {
    this.#coding = coding;
    this.#onDone = onDone;
    // Whoever reads the output hears of it; this only keeps it from counting as unhandled.
    this.#made.promise.catch(() => undefined);
    this.output = this.#read();
  }

  /** Bytes of {@link output} of a short body; undefined for another. Fails as the output does. */
  async length(): Promise<number | undefined> {
    const made = await this.#made.promise;
    return Buffer.isBuffer(made) ? made.length : undefined;
  }

  /** Resolves when the next block may be made, or never needs to be: see {@link ended}. */
  async add(block: Buffer): Promise<void> {
    if (this.ended) return;
    this.#stream ??= this.#start();
    this.#inFlight++;
    this.#stream.write(block, () => {
      this.#inFlight--;
      this.#onDone(block);
      this.#wake();
    });
    await this.#below(IN_FLIGHT);
  }

  /** @param last the last block, if there is one */
  async end(last: Buffer | undefined): Promise<void> {
    const isShort = this.#stream === undefined && (last?.length ?? 0) <= WHOLE_BYTES;
    if (isShort) return this.#made.resolve(compressWhole(this.#coding, last ?? Buffer.alloc(0)));
    if (last !== undefined) await this.add(last);
    // Not before the last one is compressed: zstd would add an empty frame (nodejs/node#66078).
    await this.#below(1);
    this.#stream?.end();
  }

  /** Nobody reads any more, or what there is to read has failed. */
  destroy(error?: Error): void {
    this.#isDestroyed = true;
    this.#made.reject(error);
    this.#stream?.destroy(error);
  }

  async *#read(): AsyncGenerator<Buffer> {
    const made = await this.#made.promise;
    if (Buffer.isBuffer(made)) yield made;
    else yield* made;
  }

  #start(): Transform {
    const stream = createOutput(this.#coding);
    // As above.
    stream.on("error", () => undefined).once("close", () => this.#wake());
    this.#made.resolve(stream);
    return stream;
  }

  async #below(inFlight: number): Promise<void> {
    while (this.#inFlight >= inFlight && !this.ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nobody reads any more, or there is nothing to read. */
  get ended(): boolean {
    return this.#isDestroyed || this.#stream?.destroyed === true;
  }
}

function compressWhole(coding: BodyCoding, body: Buffer): Buffer {
  if (coding === "zstd") return zstdCompressSync(body, ZSTD);
  return coding === "gzip" ? gzipSync(body, GZIP) : body;
}

function createOutput(coding: BodyCoding): Transform {
  const chunkSize = BLOCK_BYTES;
  if (coding === "zstd") return createZstdCompress({ ...ZSTD, chunkSize });
  return coding === "gzip" ? createGzip({ ...GZIP, chunkSize }) : createCopy();
}

/** Hands on copies: the blocks are written to again. */
function createCopy(): Transform {
  return new Transform({
    transform(block: Buffer, _encoding, done) {
      done(null, Buffer.from(block));
    },
  });
}
