import type { Output } from "./output.ts";
import type { PreviewEnd, PreviewView, PreviewViewOptions } from "./preview-view.ts";
import type { Terminal } from "./terminal.ts";

const NEWLINE = 0x0a;

/** `preview --json`: the bodies themselves, byte for byte and one after the other; what went wrong goes to stderr. */
export class JsonPreview implements PreviewView {
  readonly output: Output;
  readonly #err: Terminal["err"];
  #left: number;

  constructor({ output, terminal, limit }: PreviewViewOptions) {
    this.output = output;
    this.#err = terminal.err;
    this.#left = limit;
  }

  readonly onBody = async (chunks: AsyncIterable<Buffer>): Promise<boolean> => {
    for await (const chunk of chunks) {
      await this.output.write(this.#within(chunk));
      if (this.output.isClosed || this.#left === 0) return false;
    }
    return true;
  };

  async end({ trouble }: PreviewEnd): Promise<void> {
    for (const line of trouble) this.#err.write(`${line}\n`);
  }

  /** What of a chunk belongs to the lines that are left. */
  #within(chunk: Buffer): Buffer {
    if (this.#left === Number.POSITIVE_INFINITY) return chunk;
    let end = 0;
    while (this.#left > 0) {
      const next = chunk.indexOf(NEWLINE, end);
      if (next === -1) return chunk;
      end = next + 1;
      this.#left--;
    }
    return chunk.subarray(0, end);
  }
}
