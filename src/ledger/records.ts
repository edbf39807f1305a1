import { isObject } from "../shared/json.ts";
import type { Position, Searched } from "../stores/store.ts";

/** A record as everybody but the ledger sees it: only the ledger changes what has gone. */
export type DeepReadonly<T> = T extends object
  ? { readonly [Key in keyof T]: DeepReadonly<T[Key]> }
  : T;

/** A part that was written down before it was sent; see docs/guarantees.md. */
export interface PartData {
  /** In units of the position's offset; parts of a stream follow each other. */
  end: number;
  /** Bytes of source in the range. */
  bytes: number;
  /** Fingerprint at `end`. */
  fingerprint: string;
  /** Equal on every attempt. */
  idempotencyKey: string;
  capturedAt: string;
  /** The range is one line, of which only this is sent: its length in bytes, without the newline. */
  omitted?: number;
  /** What the lines go through before they leave, as a version; absent where they go as they are. */
  transform?: string;
}
export type PlannedPart = DeepReadonly<PartData>;

/** A scan of a stream that found nothing (more) to send, so that an equal one need not be repeated. */
export interface Idle {
  signature: string;
  /** Size of what was scanned, in bytes. */
  bytes: number;
  /** Messages that `filter.minMessages` held back then. */
  held?: number;
}

/** How far messages behind the position were counted while `filter.minMessages` held the session back, and how many. */
export interface Counted {
  offset: number;
  fingerprint: string;
  messages: number;
}

export interface StreamData {
  /** `Store.kind` */
  store: string;
  /**
   * Only grows within a session. It begins at the clock, so that it does when the ledger was lost as
   * well, and above what a receipt names, so that it does when the clock was ahead. Part of the idempotency key.
   */
  generation: number;
  position: Position;
  idle?: Idle;
  counted?: Counted;
  /** How far the end of the line at the position, which is a very long one, was searched for. */
  searched?: Searched;
  /** Parts that were planned and not confirmed, in order. */
  parts?: PartData[];
}
export type StreamRecord = DeepReadonly<StreamData>;

/** Why and until when a session is backed off from. */
export interface Backoff {
  reason: string;
  /** ms since the epoch */
  since: number;
  attempts: number;
  /** ms since the epoch */
  retryAt: number;
}

export interface SessionData {
  /** The least generation that may be given out next. */
  generations: number;
  /** The highest generation of a part that was planned, or that a receipt named: the newest that a server can hold. */
  sent?: number;
  streams: Record<string, StreamData>;
  /** When a part of the session was last tried, in ms since the epoch. */
  servedAt?: number;
  /** Runs that have tried the parts that are not confirmed yet. */
  tries?: number;
  aside?: Backoff;
  /** When the session last restarted because the API had other lines than the ledger, in ms since the epoch. */
  restartedAt?: number;
  /** When it last did because the API had a newer generation than the ledger. */
  overtakenAt?: number;
  /** When the session was forgotten, in ms since the epoch: nothing of it is sent, whatever becomes of it. */
  forgottenAt?: number;
  /** It was because OpenClaw had deleted it: once it is gone for long, so is this. */
  deleted?: true;
  /** How often the session was found missing since it was last there, and when last, in ms since the epoch. */
  missing?: { times: number; at: number };
  /** Lines that arrived and were not taken, and lines of which only the length was sent. */
  rejected?: number;
  omitted?: number;
}
export type SessionRecord = DeepReadonly<SessionData>;

/**
 * Whether `value`, which came out of JSON, is the records of sessions. By hand and not
 * with a schema: there may be a hundred thousand, and a schema would copy each of them.
 */
export function areSessionRecords(value: unknown): value is Record<string, SessionData> {
  return isRecordOf(value, isSessionRecord);
}

function isSessionRecord(value: unknown): value is SessionData {
  return (
    isObject(value) &&
    isCount(value.generations) &&
    isOptional(value.sent, isCount) &&
    isRecordOf(value.streams, isStreamRecord) &&
    isOptional(value.servedAt, isCount) &&
    isOptional(value.tries, isCount) &&
    isOptional(value.aside, isBackoff) &&
    isOptional(value.restartedAt, isCount) &&
    isOptional(value.overtakenAt, isCount) &&
    isOptional(value.forgottenAt, isCount) &&
    isOptional(value.deleted, (it) => it === true) &&
    isOptional(value.missing, isMissing) &&
    isOptional(value.rejected, isCount) &&
    isOptional(value.omitted, isCount)
  );
}

function isStreamRecord(value: unknown): value is StreamData {
  return (
    isObject(value) &&
    typeof value.store === "string" &&
    isCount(value.generation) &&
    isPosition(value.position) &&
    isOptional(value.idle, isIdle) &&
    isOptional(value.counted, isCounted) &&
    isOptional(value.searched, isSearched) &&
    isOptional(value.parts, areParts)
  );
}

function isPosition(value: unknown): value is Position {
  return (
    isObject(value) &&
    isCount(value.offset) &&
    isCount(value.lines) &&
    isCount(value.messages) &&
    isString(value.fingerprint) &&
    isOptional(value.entry, isString)
  );
}

function isIdle(value: unknown): boolean {
  return (
    isObject(value) &&
    isString(value.signature) &&
    isCount(value.bytes) &&
    isOptional(value.held, isCount)
  );
}

function isCounted(value: unknown): boolean {
  return (
    isObject(value) &&
    isCount(value.offset) &&
    isString(value.fingerprint) &&
    isCount(value.messages)
  );
}

function isMissing(value: unknown): boolean {
  return isObject(value) && isCount(value.times) && isCount(value.at);
}

function isSearched(value: unknown): boolean {
  return isObject(value) && isCount(value.from) && isCount(value.to) && isString(value.fingerprint);
}

function areParts(value: unknown): boolean {
  return Array.isArray(value) && value.every(isPart);
}

function isPart(value: unknown): value is PartData {
  return (
    isObject(value) &&
    isCount(value.end) &&
    isCount(value.bytes) &&
    isString(value.fingerprint) &&
    isString(value.idempotencyKey) &&
    isString(value.capturedAt) &&
    isOptional(value.omitted, isCount) &&
    isOptional(value.transform, isString)
  );
}

function isBackoff(value: unknown): value is Backoff {
  return (
    isObject(value) &&
    isString(value.reason) &&
    isCount(value.since) &&
    isCount(value.attempts) &&
    isCount(value.retryAt)
  );
}

/** A list is an object, too, and would pass for an empty record. */
function isRecordOf(value: unknown, isItem: (item: unknown) => boolean): boolean {
  if (!isObject(value)) return false;
  for (const key in value) if (!isItem(value[key])) return false;
  return true;
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isString(value: unknown): boolean {
  return typeof value === "string";
}

/** JSON has no `undefined`: what is that is not there. */
function isOptional(value: unknown, check: (value: unknown) => boolean): boolean {
  return value === undefined || check(value);
}
