/** Length of one event's JSON text; null when the row holds it in a form that is not known. */
export interface EventSize {
  readonly seq: number;
  readonly bytes: number | null;
}

/** Events in a range of sequence numbers, and the bytes of their texts. */
export interface Totals {
  readonly count: number;
  readonly bytes: number;
}

/** Events that follow each other. */
export interface Page {
  /** Their texts, each on a line. */
  readonly lines: Buffer;
  readonly count: number;
  /** Sequence number of the last one. */
  readonly last: number;
}

export interface State {
  /** Changes with every rewrite of the transcript; null when the host does not say. */
  readonly generation: string | null;
  /** ms since the epoch. */
  readonly changedAt: number;
}

/** Where the events of one session are read from: the database's rows, or an archive. */
export interface EventSource {
  /** @throws {SourceChangedError} when the session is not there any more. */
  state(): Promise<State>;
  totals(start: number, end: number, signal?: AbortSignal): Promise<Totals>;
  /** Lengths from `start` on, in pages. */
  sizes(start: number, signal?: AbortSignal): AsyncIterable<readonly EventSize[]>;
  /** Events of `[start, end)`, in pages of bounded size. */
  pages(start: number, end: number, signal?: AbortSignal): AsyncIterable<Page>;
  /** Digest of the event `seq` (see `digestOf`), or null when there is none. */
  digest(seq: number): Promise<string | null>;
  /** The text of the event `seq`; null when there is none, or when it is too long to be sent. */
  text(seq: number): Promise<Buffer | null>;
  /** Sequence number of the event with this many before it, or null. */
  seqAt(index: number): Promise<number | null>;
}

/** Most rows one statement reads with their content. */
export const PAGE_ROWS = 200;

/** Most bytes of content one statement reads; a single longer event still gets through. */
export const PAGE_BYTES = 1024 * 1024;
