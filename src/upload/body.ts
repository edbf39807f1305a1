import split2 from "split2";
import { filterPayload } from "../content/filter.ts";
import { type LineCounts, noLines, sentLines, toPayload } from "../lines/entry.ts";
import { OMITTED_MARK, omittedLine, wholeLines } from "../lines/line-splitter.ts";
import { MAX_LINE_BYTES } from "../protocol/limits.ts";
import { entryDigest } from "../stores/entry-digest.ts";
import { type BodyCoding, Compressor } from "./compressor.ts";
import { type Block, type EnvelopeFields, EnvelopeWriter } from "./envelope.ts";
import type { Transform } from "./transform.ts";

export interface BodySource {
  /** Raw bytes of the part's range, or the size of the one line that is left out. */
  readonly lines: AsyncIterable<Buffer> | { readonly omittedBytes: number };
  readonly fields: EnvelopeFields;
  /** `lineIndex` of the first line. */
  readonly firstLine: number;
  readonly coding: BodyCoding;
  /** What the lines go through. Without it they are sent as they are. */
  readonly transform?: Pick<Transform, "filter" | "redactor"> | undefined;
  /**
   * The failure to end with at a line that is not JSON, which has this many before it
   * in the part. Without it such a line is sent as `raw`.
   */
  readonly notJson?: ((index: number) => Promise<Error>) | undefined;
}

/** One part's request body: read it once, then ask what was in it. */
export interface Body extends AsyncDisposable {
  readonly coding: BodyCoding;
  /** The compressed bytes. Rejects with what went wrong in any stage. */
  readonly chunks: AsyncIterable<Buffer>;
  /** How many bytes these are, of a short body, which is made before it is sent; undefined for another. Rejects as they do. */
  length(): Promise<number | undefined>;
  /** Valid once `chunks` has ended. */
  readonly counts: LineCounts;
  /** Credentials that were redacted, by rule. Valid once `chunks` has ended. */
  readonly redactions: ReadonlyMap<string, number>;
  /** What reading the transcript threw, or found in it, as opposed to what the network did. */
  readonly sourceError: unknown;
  /** {@link entryDigest} of the last entry that was sent, if there was one. */
  lastEntry(): string | undefined;
}

/**
 * range -> whole lines -> split2 -> entry check and count -> content filter -> envelope ->
 * blocks -> redaction -> gzip or zstd. Backpressure goes all the way: nothing is read ahead of what the
 * socket takes beyond a few blocks. Disposing closes every stage at any moment.
 */
export function createBody(source: BodySource): Body {
  return new Pipeline(source);
}

class Pipeline implements Body {
  readonly coding: BodyCoding;
  readonly chunks: AsyncIterable<Buffer>;
  readonly counts = noLines();
  readonly redactions = new Map<string, number>();
  sourceError: unknown;
  readonly #notJson: BodySource["notJson"];
  readonly #transform: BodySource["transform"];
  readonly #writer: EnvelopeWriter;
  readonly #splitter: NodeJS.ReadWriteStream & { destroy(): void };
  readonly #compressor: Compressor;
  /** Blocks that are ready to be redacted and compressed. */
  readonly #full: Block[] = [];
  readonly #done: Promise<void>;
  #last: string | undefined;
  /** Lines before the first one that is not JSON. */
  #damagedAt: number | undefined;

  constructor({ lines, fields, firstLine, coding, notJson, transform }: BodySource) {
    this.coding = coding;
    this.#notJson = notJson;
    this.#transform = transform;
    this.#writer = new EnvelopeWriter(fields, firstLine);
    this.#compressor = new Compressor(coding, (block) => this.#writer.reuse(block));
    this.chunks = this.#compressor.output;
    // `decodeStrings: false` hands the line splitter's binary strings to split2 as they are.
    this.#splitter = split2("\n", (line: string) => this.#add(line), { decodeStrings: false });
    this.#splitter.on("error", (error) => this.#compressor.destroy(error));
    this.#done = this.#pump(this.#wholeLines(lines)).catch((error: unknown) => {
      this.#compressor.destroy(error instanceof Error ? error : new Error(String(error)));
    });
  }

  length(): Promise<number | undefined> {
    return this.#compressor.length();
  }

  lastEntry(): string | undefined {
    if (this.#last === undefined) return undefined;
    return entryDigest(Buffer.from(this.#last, "latin1").toString("utf8"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#compressor.destroy();
    this.#splitter.destroy();
    await this.#done;
  }

  #wholeLines(lines: BodySource["lines"]): Iterable<string> | AsyncIterable<string> {
    if ("omittedBytes" in lines) return [omittedLine(lines.omittedBytes)];
    return wholeLines(this.#watched(lines), {
      maxLineBytes: MAX_LINE_BYTES,
      onInvalidUtf8: (count) => {
        this.counts.invalidUtf8 += count;
      },
    });
  }

  async *#watched(bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    try {
      yield* bytes;
    } catch (error) {
      this.sourceError = error;
      throw error;
    }
  }

  readonly #onNotJson = (): void => {
    this.#damagedAt ??= sentLines(this.counts);
  };

  #add(line: string): void {
    const payload = toPayload(line, this.counts, this.#onNotJson);
    if (payload === null) return;
    this.#last = payload;
    const filter = this.#transform?.filter ?? null;
    // What stands for a line that is left out says nothing of what was in it.
    const isLeftOut = filter === null || line.startsWith(OMITTED_MARK);
    const block = this.#writer.add(isLeftOut ? payload : filterPayload(payload, filter));
    if (block !== undefined) this.#full.push(block);
  }

  async #pump(chunks: Iterable<string> | AsyncIterable<string>): Promise<void> {
    const compressor = this.#compressor;
    for await (const chunk of chunks) {
      // Every line of the chunk has been through `#add` when this returns.
      this.#splitter.write(chunk);
      if (this.#damagedAt !== undefined) await this.#checkJson(this.#damagedAt);
      for (const block of this.#full.splice(0)) await compressor.add(await this.#redact(block));
      if (compressor.ended) return;
    }
    const rest = this.#writer.flush();
    await compressor.end(rest && (await this.#redact(rest)));
  }

  /** What may go to the compressor. */
  async #redact({ bytes, payloads }: Block): Promise<Buffer> {
    const redactor = this.#transform?.redactor;
    if (redactor === undefined) return bytes;
    const redacted = await redactor.redact(bytes, payloads);
    for (const { findings, omitted } of redacted.changed) {
      if (omitted !== undefined) this.counts.withheld++;
      else this.counts.redacted++;
      for (const { rule } of findings) {
        this.redactions.set(rule, (this.redactions.get(rule) ?? 0) + 1);
      }
    }
    if (redacted.bytes !== bytes) this.#writer.reuse(bytes);
    return redacted.bytes;
  }

  /** @throws what `notJson` gives, where the store is damaged by such a line */
  async #checkJson(damagedAt: number): Promise<void> {
    if (this.#notJson === undefined) return;
    this.sourceError = await this.#notJson(damagedAt).catch((error: unknown) => error);
    throw this.sourceError;
  }
}
