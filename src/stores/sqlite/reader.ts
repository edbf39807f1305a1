import { MAX_LINE_BYTES, MAX_PART_BYTES } from "../../protocol/limits.ts";
import { type InfluxionError, SourceChangedError } from "../../shared/problem.ts";
import { entryDigest } from "../entry-digest.ts";
import { isIdle } from "../idle.ts";
import type { Cut, CutOptions, Position, Reader, Stream, Verdict } from "../store.ts";
import { notJson, unknownEncoding } from "./event.ts";
import {
  firstDigest,
  formatFingerprint,
  generationToken,
  NO_GENERATION,
  parseFingerprint,
} from "./fingerprint.ts";
import type { EventSource, Totals } from "./source.ts";

/** A position is a sequence number: that of the last delivered event, plus one. Numbers may have gaps. */
export class SqliteReader implements Reader {
  readonly #source: EventSource;
  readonly #stream: Stream;
  readonly #now: () => number;
  /** What lies before offsets that were looked at, so that the next one starts at the nearest. */
  readonly #known = new Map<number, Totals>();
  /** The last range that was cut, which {@link read} compares with what it finds. */
  #range: { readonly start: number; readonly end: number; readonly totals: Totals } | undefined;

  constructor(source: EventSource, stream: Stream, now: () => number) {
    this.#source = source;
    this.#stream = stream;
    this.#now = now;
  }

  async verify({ offset, fingerprint }: Position): Promise<Verdict> {
    if (offset === 0) return "same";
    const { generation, changedAt } = await this.#source.state();
    if (await this.#holds(offset, fingerprint, generationToken(generation))) return "same";
    const touched = { changedAt: Math.max(changedAt, this.#stream.changedAt) };
    return isIdle(touched, this.#now()) ? "changed" : "unsettled";
  }

  async bytesAfter(offset: number): Promise<number> {
    return sourceBytes(await this.#source.totals(offset, Number.MAX_SAFE_INTEGER));
  }

  async cut(from: number, { maxBytes, signal }: CutOptions): Promise<Cut> {
    const limit = Math.min(maxBytes, MAX_PART_BYTES);
    let end = from;
    let count = 0;
    let bytes = 0;
    scan: for await (const page of this.#source.sizes(from, signal)) {
      for (const { seq, bytes: length } of page) {
        if (length === null) {
          // What lies before goes out; the next cut stops here.
          if (count > 0) break scan;
          throw unknownEncoding(this.#stream.sessionId, seq);
        }
        const size = length + 1;
        if (count === 0 && size > MAX_LINE_BYTES) {
          return this.#cutAt(from, seq + 1, { count: 1, bytes: length }, true);
        }
        if (count === 0 && size > limit) return { kind: "over", bytes: size };
        if (bytes + count + size > limit) break scan;
        end = seq + 1;
        count += 1;
        bytes += length;
      }
    }
    if (count === 0) return { kind: "end", torn: false };
    return this.#cutAt(from, end, { count, bytes }, false);
  }

  async *read(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    const expected = await this.#source.totals(start, end, signal);
    const cut = this.#range;
    if (cut?.start === start && cut.end === end && !equal(cut.totals, expected)) {
      throw this.#changed();
    }
    const seen = { count: 0, bytes: 0 };
    let last = -1;
    for await (const page of this.#source.pages(start, end, signal)) {
      seen.count += page.count;
      seen.bytes += page.lines.length - page.count;
      last = page.last;
      yield page.lines;
    }
    if (last !== end - 1 || !equal(seen, expected)) throw this.#changed();
  }

  /** The host imports a JSONL session line by line: the same entries under the same numbers. */
  async continueFrom(position: Position): Promise<Position | null> {
    const { lines, messages, entry } = position;
    if (entry === undefined || lines < 1) return null;
    const seq = await this.#source.seqAt(lines - 1);
    if (seq === null) return null;
    const text = await this.#source.text(seq);
    if (text === null || this.#entryDigest(seq, text) !== entry) return null;
    const offset = seq + 1;
    return { offset, lines, messages, fingerprint: await this.#fingerprint(offset), entry };
  }

  async notJson(start: number, index: number): Promise<InfluxionError> {
    const { count } = await this.#before(start);
    const seq = await this.#source.seqAt(count + index);
    return seq === null ? this.#changed() : notJson(this.#stream.sessionId, seq);
  }

  /** The connection belongs to the store. */
  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Whether what lies before `offset` is what the fingerprint says. */
  async #holds(offset: number, fingerprint: string, generation: string): Promise<boolean> {
    const expected = parseFingerprint(fingerprint);
    if (expected === null || (await this.#source.digest(offset - 1)) !== expected.last) {
      return false;
    }
    // Within a generation the host only appends; otherwise look at all that lies before.
    if (generation === NO_GENERATION || expected.generation !== generation) {
      if ((await firstDigest(this.#source)) !== expected.first) return false;
      if (!equal(await this.#source.totals(0, offset), expected.before)) return false;
    }
    this.#known.set(offset, expected.before);
    return true;
  }

  async #cutAt(start: number, end: number, totals: Totals, omitted: boolean): Promise<Cut> {
    const before = sum(await this.#before(start), totals);
    this.#known.set(end, before);
    this.#range = { start, end, totals };
    const fingerprint = await this.#fingerprint(end);
    return { kind: "range", end, bytes: sourceBytes(totals), fingerprint, omitted };
  }

  async #fingerprint(offset: number): Promise<string> {
    const before = await this.#before(offset);
    const { generation } = await this.#source.state();
    const [first, last] = [await firstDigest(this.#source), await this.#source.digest(offset - 1)];
    if (first === null || last === null) throw this.#changed();
    return formatFingerprint({ generation: generationToken(generation), before, first, last });
  }

  #entryDigest(seq: number, text: Buffer): string {
    try {
      return entryDigest(text.toString("utf8"));
    } catch {
      // Without the cause, whose message holds a piece of the text.
      throw notJson(this.#stream.sessionId, seq);
    }
  }

  async #before(offset: number): Promise<Totals> {
    let from = 0;
    let before: Totals = { count: 0, bytes: 0 };
    for (const [at, totals] of this.#known) {
      if (at > offset || at < from) continue;
      from = at;
      before = totals;
    }
    const totals = sum(before, await this.#source.totals(from, offset));
    this.#known.set(offset, totals);
    return totals;
  }

  #changed(): SourceChangedError {
    return new SourceChangedError(
      `session ${this.#stream.sessionId} was rewritten, moved or deleted while it was read`,
    );
  }
}

/** Bytes as lines: each text and its newline. */
export function sourceBytes({ count, bytes }: Totals): number {
  return count + bytes;
}

function sum(a: Totals, b: Totals): Totals {
  return { count: a.count + b.count, bytes: a.bytes + b.bytes };
}

function equal(a: Totals, b: Totals): boolean {
  return a.count === b.count && a.bytes === b.bytes;
}
