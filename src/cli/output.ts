import { once } from "node:events";
import type { Terminal } from "./terminal.ts";

/** Writes no faster than the reader of the output takes it, and notices when the reader is gone (`preview | head`). */
export class Output {
  readonly #stream: Terminal["out"];
  readonly #gone = new AbortController();

  constructor(stream: Terminal["out"]) {
    this.#stream = stream;
    stream.on("error", () => this.#gone.abort());
  }

  /** Nobody reads any more. */
  get isClosed(): boolean {
    return this.#gone.signal.aborted;
  }

  /** Resolves when more may be written, or never needs to be: see {@link isClosed}. */
  async write(text: string | Uint8Array): Promise<void> {
    if (this.isClosed || this.#stream.write(text)) return;
    const { signal } = this.#gone;
    await once(this.#stream, "drain", { signal }).catch(() => undefined);
  }
}
