import { closeSync, read, readSync } from "node:fs";
import { promisify } from "node:util";

const readAsync = promisify(read);

/**
 * Longest read that is done at once, in bytes. Through the thread pool, which the whole Gateway shares, a read of
 * a few KB costs ten times what it takes, and a small session is a dozen of them.
 */
const SYNC_BYTES = 64 * 1024;

/** A transcript that is open for reading. */
export class TranscriptFile {
  readonly #fd: number;
  /** Reads that are going on: the descriptor must not become that of another file meanwhile. */
  readonly #reads = new Set<Promise<unknown>>();

  /** @param fd closed by {@link close} */
  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Fills `buffer` from `offset` on, as far as there is something; returns what was filled. */
  async fill(buffer: Buffer, offset: number): Promise<Buffer> {
    let filled = 0;
    while (filled < buffer.length) {
      const left = buffer.length - filled;
      const bytesRead =
        left <= SYNC_BYTES
          ? readSync(this.#fd, buffer, filled, left, offset + filled)
          : await this.#readLong(buffer, filled, left, offset + filled);
      if (bytesRead === 0) break;
      filled += bytesRead;
    }
    return buffer.subarray(0, filled);
  }

  /** To be called once; what is being read is waited for. */
  async close(): Promise<void> {
    await Promise.allSettled(this.#reads);
    closeSync(this.#fd);
  }

  async #readLong(buffer: Buffer, at: number, length: number, offset: number): Promise<number> {
    const reading = readAsync(this.#fd, buffer, at, length, offset);
    this.#reads.add(reading);
    try {
      return (await reading).bytesRead;
    } finally {
      this.#reads.delete(reading);
    }
  }
}
