import { createGzip, type Gzip } from "node:zlib";

/** See docs/performance.md for how these were chosen. */
export const GZIP = { level: 5, memLevel: 9, chunkSize: 64 * 1024 };

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
  readonly output: Gzip = createGzip(GZIP);
  readonly #onDone: (block: Buffer) => void;
  #inFlight = 0;
  #wake: () => void = () => undefined;

  /** @param onDone told of each block that is compressed, and may be written to again */
  constructor(onDone: (block: Buffer) => void) {
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
    while (this.#inFlight >= IN_FLIGHT && !this.ended) {
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
