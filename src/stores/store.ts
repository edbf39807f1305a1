import type { InfluxionError, Problem } from "../shared/problem.ts";
import type { SessionFacts } from "./session-facts.ts";

/**
 * How far into one stream uploads have come. What `offset` counts is the store's
 * business; everything else means the same in every store.
 */
export interface Position {
  /** The next unread unit: a byte offset (JSONL) or a sequence number (SQLite). */
  readonly offset: number;
  /** Non-empty lines before the position, which is the `lineIndex` of the next line. */
  readonly lines: number;
  /** Entries of type `message` before the position. */
  readonly messages: number;
  /** Digest of what lies just before the position; "" at the very start. */
  readonly fingerprint: string;
  /**
   * Digest of the last entry before the position that is equal in every store
   * (see `entryDigest`), so that a session can be continued in another one.
   */
  readonly entry?: string;
}

/** The position before the first line. */
export const START: Position = { offset: 0, lines: 0, messages: 0, fingerprint: "" };

/**
 * One append-only source of one session. Most sessions are one stream; a session
 * that was reset under its own name is several, delivered in order.
 */
export interface Stream {
  readonly agentId: string;
  readonly sessionId: string;
  /** Unique within the session and stable between runs, e.g. `abc.jsonl`, `abc.jsonl.reset.<ts>`, `sqlite`. */
  readonly source: string;
  /** Streams of one session are delivered in ascending rank; the live one is last. */
  readonly rank: string;
  /** Size of the whole stream in bytes of source. */
  readonly bytes: number;
  /** The source it had before, with the same bytes: a reset renames what was written to. */
  readonly renamedFrom?: string;
  /** The source in another store that the host moved into this stream, which goes on behind it. */
  readonly movedFrom?: string;
  /** When the stream last changed, in ms since the epoch. */
  readonly changedAt: number;
  /** When the session began, in ms since the epoch, where the listing tells; only where it was asked for. */
  readonly startTime?: number | undefined;
  /** Equal between two scans only if the stream did not change in between. */
  readonly signature: string;
  /** What a user may call the session besides its id: its keys in the host, labels and display names. */
  readonly names: readonly string[];
  /** What else the host keeps of the session; only where names were asked for. @default nothing */
  readonly facts?: SessionFacts | undefined;
  /** Why there may be more names, as a clause; only where they were asked for. */
  readonly namesUnknown?: string | undefined;
  /** Why the session may be another agent's, as a clause. */
  readonly agentUnknown?: string | undefined;
  /** The file that was listed, where the stream is one. */
  readonly file?: { readonly path: string; readonly inode: number };
}

/** What is kept of a session under a key. */
interface NamesAndFacts {
  readonly names: readonly string[];
  readonly facts: SessionFacts;
}

/** What a store says of sessions that may be in another one, or be listed there under an earlier id. */
export interface RelatedNames {
  /** Further names, by id, and what else is kept of the sessions. */
  readonly names: ReadonlyMap<string, readonly NamesAndFacts[]>;
  /** Why any session that the store does not have may have more, as a clause. */
  unknown?: string;
}

/** The size in bytes of a stream that still has the signature of an earlier scan, if it is known. */
export type KnownBytes = (
  stream: Pick<Stream, "agentId" | "sessionId" | "source" | "signature">,
) => number | undefined;

/** What one scan of an agent found. */
export interface Listing {
  readonly streams: Stream[];
  /** What is left out, and why; each is shown to the user. */
  readonly problems: Problem[];
  /** What could not be looked at, so that the listing is not all there is. */
  readonly failures: Problem[];
  /** Only where names were asked for. */
  readonly related?: RelatedNames;
}

/** A range of a stream that becomes one part, or why there is none. */
export type Cut =
  | {
      readonly kind: "range";
      /** End of the range, exclusive, in units of `Position.offset`. */
      readonly end: number;
      /** Bytes of source in the range. */
      readonly bytes: number;
      /** `Position.fingerprint` at `end`. */
      readonly fingerprint: string;
      /** The range is a single line above {@link MAX_LINE_BYTES}: only an `omitted` record is sent. */
      readonly omitted: boolean;
      /** The range holds nothing but white space: the position moves, nothing is sent. */
      readonly blank?: boolean;
    }
  /**
   * Nothing after `from`, or only a last line that is still being written (`torn`), or one
   * of `cutOff` bytes that nobody will ever complete.
   */
  | { readonly kind: "end"; readonly torn: boolean; readonly cutOff?: number }
  /** The next line is so long that its end was not found yet: ask again, with this. */
  | { readonly kind: "unfinished"; readonly searched: Searched }
  /** The next line is whole, but larger than the limit that was given. */
  | { readonly kind: "over"; readonly bytes: number };

/** How far the end of a very long line was searched for without success. */
export interface Searched {
  /** Where the line begins. */
  readonly from: number;
  readonly to: number;
  /** `Position.fingerprint` at `to`. */
  readonly fingerprint: string;
}

export interface CutOptions {
  /** Most source bytes the range may have; at most {@link MAX_PART_BYTES}. */
  readonly maxBytes: number;
  readonly signal?: AbortSignal;
  /** From an earlier cut at the same place, also by another reader. */
  readonly searched?: Searched | undefined;
}

/**
 * Whether a position still holds:
 * - `same`: what lies before it is what was delivered;
 * - `changed`: the stream was rewritten and has come to rest since;
 * - `unsettled`: it differs, but was touched moments ago. Hosts rewrite a session
 *   in place with the same bytes after every turn, so look again later.
 */
export type Verdict = "same" | "changed" | "unsettled";

/**
 * An open stream. Reads only; close it after use. Every method may throw
 * {@link SourceChangedError} when the stream is rewritten or removed meanwhile.
 */
export interface Reader {
  verify(position: Position): Promise<Verdict>;
  /** Source bytes from `offset` to the end of the stream. */
  bytesAfter(offset: number): Promise<number>;
  /** The next part at `from`; its range never ends within a line. */
  cut(from: number, options: CutOptions): Promise<Cut>;
  /**
   * The raw bytes of `[start, end)`, where both are ends of lines (0, or from a
   * cut). Lines end in `\n`; only the very last one may lack it.
   * @throws {SourceChangedError} when the range is not there (any more).
   */
  read(start: number, end: number, signal?: AbortSignal): AsyncIterable<Buffer>;
  /**
   * This stream's position for `position` of a predecessor in another store, or
   * null when this stream does not continue it.
   */
  continueFrom?(position: Position): Promise<Position | null>;
  /**
   * The end of the last whole line within the first `sizeBytes`, if these are the
   * bytes with the digest `sha256`: what a ledger of schema version 1 remembers.
   */
  legacyEnd?(
    sizeBytes: number,
    sha256: string,
  ): Promise<{ readonly offset: number; readonly fingerprint: string } | null>;
  /**
   * When the session began, in ms since the epoch: the earliest time in its first lines, which are
   * another session's where these were copied. Null when that cannot be told. For stores whose
   * listing does not tell.
   */
  startTime?(): Promise<number | null>;
  /**
   * Where each line is JSON by contract: the failure to raise when the line with this
   * many before it in the range from `start` is not, because then the store is damaged
   * and the line must not be sent. Without it such a line is sent as `raw`. Whoever
   * reads a line parses it anyway, so the store need not do so before.
   */
  notJson?(start: number, index: number): Promise<InfluxionError>;
  close(): Promise<void>;
}

/** Where one agent's transcripts live. Every store shows the same face. */
export interface Store {
  /** Names the store in the ledger and to the user. */
  readonly kind: string;
  readonly agentId: string;
  /** What it lists may name sessions in other stores, too; see {@link Listing.related}. */
  readonly namesOthers?: boolean;
  /**
   * Finds every stream of the agent by looking at metadata only.
   * @throws {StoreError} when the agent cannot be read as a whole.
   */
  list(signal?: AbortSignal): Promise<Listing>;
  /**
   * @param signal ends whatever the reader is doing, also later
   * @throws {StoreError} when the stream cannot be opened
   * @throws {SourceChangedError} when it is not what was listed any more
   */
  open(stream: Stream, signal?: AbortSignal): Promise<Reader>;
  /**
   * Sessions that the host itself says it has deleted, by id, and when, in ms since the epoch;
   * nothing follows from being gone alone. One of them may be there again.
   */
  deleted?(): Promise<ReadonlyMap<string, number>>;
  /**
   * What may be the file in another store that the stream was imported from, where the
   * host keeps it. Each reader is closed when the next is asked for.
   */
  originals?(stream: Stream, signal?: AbortSignal): AsyncIterable<Reader>;
  close(): Promise<void>;
}
