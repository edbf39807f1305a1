import { Transform } from "node:stream";
import { constants, createGzip, createZstdCompress } from "node:zlib";
import type { Coding } from "../protocol/wire.ts";

/** See docs/performance.md for how these were chosen. */
export const GZIP = { level: 5, memLevel: 9, chunkSize: 64 * 1024 };
export const ZSTD = {
  chunkSize: 64 * 1024,
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
  readonly output: Transform;
  readonly #onDone: (block: Buffer) => void;
  #inFlight = 0;
  #wake: () => void = () => undefined;

  /** @param onDone notified of each block that is compressed, and may be written to again */
  constructor(coding: BodyCoding, onDone: (block: Buffer) => void) {
    this.output = createOutput(coding);
    this.#onDone = onDone;
    // Whoever reads the output hears of it; this only keeps it from counting as unhandled.
    this.output.on("error", () => undefined).once("close", () => this.#wake());
  }

  /** Resolves when the next block may be made, or never needs to be: see {@link ended}. */
  async add(block: Buffer): Promise<void> {
    this.#inFlight++;
    this.output.write(block, () => {
      this.#inFlight--;
      this.#onDone(block);
      this.#wake();
    });
    await this.#below(IN_FLIGHT);
  }

  /** No more blocks. Not before the last one is compressed: zstd would add an empty frame (nodejs/node#66078). */
  async end(): Promise<void> {
    await this.#below(1);
    this.output.end();
  }

  async #below(inFlight: number): Promise<void> {
    while (this.#inFlight >= inFlight && !this.ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nobody reads any more. */
  get ended(): boolean {
    return this.output.destroyed;
  }
}

function createOutput(coding: BodyCoding): Transform {
  if (coding === "zstd") return createZstdCompress(ZSTD);
  return coding === "gzip" ? createGzip(GZIP) : createCopy();
}

/** Hands on copies: the blocks are written to again. */
function createCopy(): Transform {
  return new Transform({
    transform(block: Buffer, _encoding, done) {
      done(null, Buffer.from(block));
    },
  });
}
