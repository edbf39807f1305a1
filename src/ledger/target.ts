import type { Position, Searched } from "../stores/store.ts";
import { retryTime } from "./backoff.ts";
import { Deletions } from "./deletions.ts";
import { newestGiven } from "./generations.ts";
import type {
  Counted,
  Idle,
  PartData,
  PlannedPart,
  SessionData,
  SessionRecord,
  StreamData,
  StreamRecord,
} from "./records.ts";
import type { Target, TargetData } from "./schema.ts";
import { splitKey } from "./session-key.ts";

/**
 * A session is forgotten when it was found missing this often, at times at least so far
 * apart, in ms. A disk that is not mounted for an hour, a laptop that slept for a week, or
 * a host upgrade that is moving transcripts must not make everything look new.
 */
export const MISSING_TIMES = 4;
export const MISSING_EVERY_MS = 8 * 3_600_000;

/** Least time between two restarts of a session for the same reason, in ms: each sends all of it again. */
const RESTART_EVERY_MS = 7 * 24 * 3_600_000;

/** A place in the queue, to be given back when a run did not come to the session. */
export interface QueuePlace {
  readonly servedAt: number | undefined;
  readonly tries: number | undefined;
}

/** What a confirmed part adds to its session. */
export interface Confirmation {
  readonly lines: number;
  readonly messages: number;
  readonly rejected: number;
  readonly omitted: number;
  /** See `Position.entry`; undefined when nothing was sent as an entry. */
  readonly entry: string | undefined;
}

/**
 * What has gone to one destination. Everybody may read the records, which change as the
 * methods here are called; nobody else changes them.
 */
export class TargetRecords {
  /** What the API is to delete, and has not confirmed. */
  readonly deletions: Deletions;
  readonly #data: TargetData;
  readonly #now: () => number;
  /** Made when it is asked for. */
  #forgottenIds: ReadonlySet<string> | undefined;

  /** @param now wall clock, in ms since the epoch */
  constructor(data: TargetData, now: () => number) {
    this.#data = data;
    this.#now = now;
    this.deletions = new Deletions(data, now);
  }

  get sessions(): Target["sessions"] {
    return this.#data.sessions;
  }

  session(key: string): SessionRecord | undefined {
    return this.#data.sessions[key];
  }

  get refused(): Target["refused"] {
    return this.#data.refused;
  }

  get notBefore(): number | undefined {
    return this.#data.notBefore;
  }

  get coding(): Target["coding"] {
    return this.#data.coding;
  }

  /** Whether a part was ever confirmed. */
  get hasTaken(): boolean {
    return this.#data.taken === true;
  }

  get partLimit(): number | undefined {
    return this.#data.partLimit;
  }

  /** Whether the session with this key is forgotten. */
  isForgotten(key: string): boolean {
    return this.#data.sessions[key]?.forgottenAt !== undefined;
  }

  /** Whether a session with this id is forgotten, whosever it is. */
  isForgottenId(sessionId: string): boolean {
    this.#forgottenIds ??= new Set(
      Object.keys(this.#data.sessions)
        .filter((key) => this.isForgotten(key))
        .map((key) => splitKey(key).sessionId),
    );
    return this.#forgottenIds.has(sessionId);
  }

  /** The session is there. */
  found(key: string): void {
    delete this.#data.sessions[key]?.missing;
  }

  /** The session is not there, although all of its agent was looked at; see {@link MISSING_TIMES}. */
  missed(key: string): void {
    const session = this.#data.sessions[key];
    if (session === undefined || isForgottenForGood(session)) return;
    const { times, at } = session.missing ?? { times: 0, at: Number.NEGATIVE_INFINITY };
    const now = this.#now();
    // A clock that was set back says that it was ahead: what was counted by it does not count.
    if (now < at) session.missing = { times: 1, at: now };
    else if (now - at < MISSING_EVERY_MS) return;
    else if (times + 1 >= MISSING_TIMES) this.drop(key);
    else session.missing = { times: times + 1, at: now };
  }

  /** Nothing is known of the session any more. */
  drop(key: string): void {
    this.#forgottenIds = undefined;
    delete this.#data.sessions[key];
  }

  /**
   * Nothing of the session is sent any more, and of its record only that is left, with the
   * highest generation that a server can hold of it.
   *
   * @param deleted the host has deleted it
   */
  forget(key: string, deleted = false): void {
    this.#forgottenIds = undefined;
    const forgottenAt = Math.floor(this.#now());
    const through = Math.max(forgottenAt, newestGiven(this.#session(key)));
    const streams = {};
    const forgotten = { generations: through + 1, sent: through, streams, forgottenAt };
    this.#data.sessions[key] = deleted ? { ...forgotten, deleted } : forgotten;
  }

  /** The session goes again, all of it, as a new generation. */
  remember(key: string): void {
    this.#forgottenIds = undefined;
    delete this.#data.sessions[key]?.forgottenAt;
    delete this.#data.sessions[key]?.deleted;
  }

  /** Starts a stream of a session from line 0, as a generation of its own. */
  begin(key: string, source: string, store: StreamRecord["store"], start: Position): StreamRecord {
    const session = this.#session(key);
    const least = Math.max(session.generations, this.#data.leastGeneration ?? 0);
    const generation = Math.max(least, Math.floor(this.#now()));
    session.generations = generation + 1;
    return this.continueAt(key, source, { store, generation, position: start });
  }

  /** Goes on with a generation in another stream of the session. */
  continueAt(
    key: string,
    source: string,
    { store, generation, position }: Pick<StreamRecord, "store" | "generation" | "position">,
  ): StreamRecord {
    const record: StreamData = { store, generation, position: { ...position } };
    this.#session(key).streams[source] = record;
    return record;
  }

  /** Moves the record of a stream that has another name now. */
  rename(key: string, from: string, to: string): StreamRecord {
    const { streams } = this.#session(key);
    const record = this.#stream(key, from);
    delete streams[from];
    streams[to] = record;
    return record;
  }

  setIdle(key: string, source: string, idle: Idle | undefined): void {
    const record = this.#stream(key, source);
    if (idle === undefined) delete record.idle;
    else record.idle = idle;
  }

  setCounted(key: string, source: string, counted: Counted | undefined): void {
    const record = this.#stream(key, source);
    if (counted === undefined) delete record.counted;
    else record.counted = counted;
  }

  setSearched(key: string, source: string, searched: Searched): void {
    this.#stream(key, source).searched = searched;
  }

  /** Writes down what will be sent of a stream, from `start` on. */
  plan(key: string, source: string, start: Position, parts: readonly PlannedPart[]): void {
    const record = this.#stream(key, source);
    moveTo(record, start);
    if (parts.length === 0) return;
    record.parts = parts.map((part) => ({ ...part }));
    const session = this.#session(key);
    session.sent = Math.max(session.sent ?? 0, record.generation);
  }

  /** Sends the session to the back of the queue; written down before anything is sent, so that one which ends the process does not come first again for ever. */
  moveToBack(key: string): QueuePlace {
    const session = this.#session(key);
    const { servedAt, tries } = session;
    session.servedAt = this.#now();
    session.tries = (tries ?? 0) + 1;
    return { servedAt, tries };
  }

  restorePlace(key: string, { servedAt, tries }: QueuePlace): void {
    const session = this.#session(key);
    if (servedAt === undefined) delete session.servedAt;
    else session.servedAt = servedAt;
    if (tries === undefined) delete session.tries;
    else session.tries = tries;
  }

  setTries(key: string, tries: number): void {
    this.#session(key).tries = tries;
  }

  /** The stream's first part has arrived. */
  confirm(key: string, source: string, confirmation: Confirmation): void {
    const session = this.#session(key);
    const record = this.#stream(key, source);
    const { position, parts: [part] = [] } = record;
    if (part === undefined) throw new Error(`no part of ${source} was planned`);
    const { lines, messages, rejected, omitted, entry = position.entry } = confirmation;
    moveTo(record, {
      offset: part.end,
      lines: position.lines + lines,
      messages: position.messages + messages,
      fingerprint: part.fingerprint,
      ...(entry === undefined ? {} : { entry }),
    });
    this.replacePart(key, source, []);
    this.#data.taken = true;
    delete session.tries;
    if (rejected > 0) session.rejected = (session.rejected ?? 0) + rejected;
    if (omitted > 0) session.omitted = (session.omitted ?? 0) + omitted;
  }

  /** Puts other parts in the place of the stream's first one. */
  replacePart(key: string, source: string, replacement: readonly PlannedPart[]): void {
    const record = this.#stream(key, source);
    const parts: PartData[] = [...replacement, ...(record.parts ?? []).slice(1)];
    if (parts.length > 0) record.parts = parts;
    else delete record.parts;
  }

  /** Moves the position over bytes that hold no line. */
  skip(
    key: string,
    source: string,
    { offset, fingerprint }: Pick<Position, "offset" | "fingerprint">,
  ): void {
    const record = this.#stream(key, source);
    moveTo(record, { ...record.position, offset, fingerprint });
  }

  /** Whether the session may restart because the API has something else of it: other lines, or a newer generation. */
  mayRestart(key: string, since: "restartedAt" | "overtakenAt"): boolean {
    const at = this.#data.sessions[key]?.[since];
    return at === undefined || Math.abs(this.#now() - at) >= RESTART_EVERY_MS;
  }

  restart(key: string, source: string, start: Position): void {
    this.#session(key).restartedAt = this.#now();
    this.begin(key, source, this.#stream(key, source).store, start);
  }

  /**
   * The API holds a generation that nobody remembers here: what the session is now is behind
   * it until it restarts, above it.
   */
  restartAbove(key: string, newest: number): void {
    const session = this.#session(key);
    session.overtakenAt = this.#now();
    session.generations = Math.max(session.generations, newest + 1);
    session.sent = newest;
  }

  /** Leaves the session alone for a while: each time it fails again, for twice as long. */
  backOff(key: string, reason: string): void {
    const session = this.#session(key);
    const { attempts: before = 0, since } = session.aside ?? {};
    const now = this.#now();
    session.aside = {
      reason,
      since: since ?? now,
      attempts: before + 1,
      retryAt: retryTime(before, now),
    };
  }

  /** The session is to be tried like any other. */
  clearBackoff(key: string): void {
    delete this.#session(key).aside;
  }

  setRefused(refused: Target["refused"]): void {
    if (refused === undefined) delete this.#data.refused;
    else this.#data.refused = { ...refused };
  }

  /** The API asks not to be called for so long, in ms; a longer wait that it asked for before stays. */
  holdFor(ms: number): void {
    this.setNotBefore(Math.max(this.notBefore ?? 0, this.#now() + ms));
  }

  setNotBefore(notBefore: number | undefined): void {
    if (notBefore === undefined) delete this.#data.notBefore;
    else this.#data.notBefore = notBefore;
  }

  setCoding(coding: Target["coding"]): void {
    if (coding === undefined) delete this.#data.coding;
    else this.#data.coding = coding;
  }

  setPartLimit(bytes: number): void {
    this.#data.partLimit = bytes;
  }

  #session(key: string): SessionData {
    this.#data.sessions[key] ??= { generations: 0, streams: {} };
    return this.#data.sessions[key];
  }

  #stream(key: string, source: string): StreamData {
    const record = this.#data.sessions[key]?.streams[source];
    if (record === undefined) throw new Error(`the ledger has no record of ${source}`);
    return record;
  }
}

/** What a user has forgotten may come back, from a backup, after any time. */
const isForgottenForGood = ({ forgottenAt, deleted }: SessionData): boolean =>
  forgottenAt !== undefined && deleted === undefined;

function moveTo(record: StreamData, position: Position): void {
  record.position = { ...position };
  // It was about a line that is behind us now.
  if ((record.searched?.from ?? Number.POSITIVE_INFINITY) < position.offset) delete record.searched;
}

/** What is worth keeping: of ten thousand sessions that wait, one run plans a few, and the next one finds the others again. */
export function withoutUnbegun(target: TargetData): TargetData {
  const sessions = Object.entries(target.sessions).filter(([, session]) => isWorthKeeping(session));
  return { ...target, sessions: Object.fromEntries(sessions) };
}

/** Whether anything of a session was sent, planned, counted, forgotten, or found not to be worth another scan. */
function isWorthKeeping({ streams, servedAt, sent, aside }: SessionData): boolean {
  return (
    servedAt !== undefined ||
    sent !== undefined ||
    aside !== undefined ||
    Object.values(streams).some(
      ({ position, parts, idle, counted, searched }) =>
        position.offset > 0 ||
        parts !== undefined ||
        idle !== undefined ||
        counted !== undefined ||
        searched !== undefined,
    )
  );
}
