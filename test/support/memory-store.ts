import { createHash } from "node:crypto";
import type {
  Cut,
  CutOptions,
  Listing,
  Position,
  Reader,
  Store,
  Verdict,
} from "../../src/stores/store.ts";

/** A third kind of store: sessions as lists of entries in memory. An offset counts entries. */
export class MemoryStore implements Store {
  readonly kind = "memory";
  readonly agentId: string;
  readonly #sessions = new Map<string, string[]>();

  constructor(agentId: string) {
    this.agentId = agentId;
  }

  /** Replaces what the session has. */
  put(sessionId: string, entries: readonly string[]): void {
    this.#sessions.set(sessionId, [...entries]);
  }

  append(sessionId: string, ...entries: readonly string[]): void {
    this.put(sessionId, [...this.#entries(sessionId), ...entries]);
  }

  list(): Promise<Listing> {
    const streams = [...this.#sessions].map(([sessionId, entries]) => ({
      agentId: this.agentId,
      sessionId,
      source: "memory",
      rank: "~",
      bytes: bytesOf(entries),
      changedAt: 0,
      signature: digest(entries),
      names: [],
    }));
    return Promise.resolve({ streams, problems: [], failures: [] });
  }

  open({ sessionId }: { sessionId: string }): Promise<Reader> {
    return Promise.resolve(new MemoryReader(this.#entries(sessionId)));
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #entries(sessionId: string): readonly string[] {
    return this.#sessions.get(sessionId) ?? [];
  }
}

class MemoryReader implements Reader {
  readonly #entries: readonly string[];

  constructor(entries: readonly string[]) {
    this.#entries = entries;
  }

  verify({ offset, fingerprint }: Position): Promise<Verdict> {
    return Promise.resolve(this.#fingerprint(offset) === fingerprint ? "same" : "changed");
  }

  bytesAfter(offset: number): Promise<number> {
    return Promise.resolve(bytesOf(this.#entries.slice(offset)));
  }

  cut(from: number, { maxBytes }: CutOptions): Promise<Cut> {
    let end = from;
    while (end < this.#entries.length && bytesOf(this.#entries.slice(from, end + 1)) <= maxBytes)
      end++;
    const bytes = bytesOf(this.#entries.slice(from, Math.max(end, from + 1)));
    if (from >= this.#entries.length) return Promise.resolve({ kind: "end", torn: false });
    if (end === from) return Promise.resolve({ kind: "over", bytes });
    const fingerprint = this.#fingerprint(end);
    return Promise.resolve({ kind: "range", end, bytes, fingerprint, omitted: false });
  }

  async *read(start: number, end: number): AsyncGenerator<Buffer> {
    for (const entry of this.#entries.slice(start, end)) yield Buffer.from(`${entry}\n`);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #fingerprint(offset: number): string {
    return offset === 0 ? "" : digest(this.#entries.slice(0, offset));
  }
}

const bytesOf = (entries: readonly string[]): number =>
  Buffer.byteLength(entries.join("\n")) + Math.min(1, entries.length);

const digest = (entries: readonly string[]): string =>
  createHash("sha256").update(JSON.stringify(entries)).digest("hex").slice(0, 32);
