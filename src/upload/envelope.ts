import { BLOCK_BYTES, WHOLE_BYTES } from "./compressor.ts";

/** What every line of one part has in common. */
export interface EnvelopeFields {
  readonly deploymentId: string;
  readonly projectId: string;
  readonly agentId: string;
  readonly sessionId: string;
  /** ISO 8601 */
  readonly capturedAt: string;
}

/** Lines of a body. */
export interface Block {
  readonly bytes: Buffer;
  /** Offsets at which the payload of each line begins and ends, in turn. */
  readonly payloads: readonly number[];
}

/** The first block, which is all of most bodies. */
const FIRST_BYTES = WHOLE_BYTES;

/** Nothing fits into it: a block is made for the next line only when there is one. */
const NO_BLOCK = Buffer.alloc(0);

/**
 * Packs payloads into envelope lines and these into blocks. The constant bytes
 * around a payload are made once; the payload's own bytes are copied as they are.
 */
export class EnvelopeWriter {
  readonly #before: Buffer;
  readonly #after: Buffer;
  readonly #free: Buffer[] = [];
  #block: Buffer = Buffer.allocUnsafe(FIRST_BYTES);
  #used = 0;
  #payloads: number[] = [];
  #lineIndex: number;

  /** @param firstLine `lineIndex` of the first line */
  constructor(fields: EnvelopeFields, firstLine: number) {
    const { deploymentId, projectId, agentId, sessionId, capturedAt } = fields;
    const sessionFile = `agents/${agentId}/sessions/${sessionId}.jsonl`;
    const head = { deploymentId, projectId, agentId, agentName: agentId, sessionId, sessionFile };
    this.#before = Buffer.from(`${JSON.stringify(head).slice(0, -1)},"lineIndex":`);
    this.#after = Buffer.from(`,"capturedAt":${JSON.stringify(capturedAt)},"payload":`);
    this.#lineIndex = firstLine;
  }

  /**
   * Adds one line; returns a block when one is full.
   *
   * @param payload a binary string: one character a byte
   */
  add(payload: string): Block | undefined {
    const index = String(this.#lineIndex++);
    const length =
      this.#before.length + index.length + this.#after.length + payload.length + "}\n".length;
    let full: Block | undefined;
    if (this.#used + length > this.#block.length) {
      full = this.flush();
      this.#block = this.#blockFor(length);
    }
    this.#write(this.#before);
    this.#used += this.#block.write(index, this.#used, "latin1");
    this.#write(this.#after);
    this.#payloads.push(this.#used, this.#used + payload.length);
    this.#used += this.#block.write(payload, this.#used, "latin1");
    this.#used += this.#block.write("}\n", this.#used, "latin1");
    return full;
  }

  /** What has been added since the last block; undefined when that is nothing. */
  flush(): Block | undefined {
    if (this.#used === 0) return undefined;
    const block = { bytes: this.#block.subarray(0, this.#used), payloads: this.#payloads };
    this.#payloads = [];
    this.#block = NO_BLOCK;
    this.#used = 0;
    return block;
  }

  /** Takes a block back that nobody reads any more. One made for a long line is left to the collector. */
  reuse({ buffer }: Buffer): void {
    if (buffer.byteLength === BLOCK_BYTES) this.#free.push(Buffer.from(buffer));
  }

  #blockFor(length: number): Buffer {
    if (length > BLOCK_BYTES) return Buffer.allocUnsafe(length);
    return this.#free.pop() ?? Buffer.allocUnsafe(BLOCK_BYTES);
  }

  #write(bytes: Buffer): void {
    this.#block.set(bytes, this.#used);
    this.#used += bytes.length;
  }
}
