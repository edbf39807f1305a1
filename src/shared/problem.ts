import type { Code } from "./codes.ts";

declare const ofTheSystem: unique symbol;

/** A code of the system, e.g. `EACCES`. No literal is one, so that a mistyped {@link Code} is none either. */
export type Errno = `E${string}` & { readonly [ofTheSystem]: true };

/** Something a person should know about; `message` says what happened and what to do. */
export interface Problem {
  /** Stable and greppable, e.g. `ENTRY_SKIPPED`. */
  readonly code: Code | Errno;
  readonly message: string;
  readonly agentId?: string;
  readonly sessionId?: string;
}

/** Base of every failure this plugin raises on purpose. */
export class InfluxionError extends Error {
  readonly code: Code;

  constructor(code: Code, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A store, or one stream of it, cannot be read (now). */
export class StoreError extends InfluxionError {}

/** What has a session's name holds something else. */
export class NotASessionError extends StoreError {
  constructor(message: string) {
    super("NOT_A_SESSION", message);
  }
}

/** The range that was planned is no longer there: the host rewrote or removed the stream. */
export class SourceChangedError extends InfluxionError {
  constructor(message: string, options?: ErrorOptions) {
    super("SOURCE_CHANGED", message, options);
  }
}

/** Another process is uploading. Here, since both sides of a run's thread match on it. */
export class LockedError extends InfluxionError {
  constructor(message: string) {
    super("LOCKED", message);
  }
}

/** The system error code of `error` (`ENOENT`, `EACCES`, …), or "". */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}

/**
 * What a failure to read one session, agent or store is reported as, whatever was thrown:
 * nothing that is wrong with one of them may end more than that one.
 */
export function describeReadFailure(error: unknown): Pick<Problem, "code" | "message"> {
  if (error instanceof InfluxionError) return { code: error.code, message: error.message };
  const code = errnoOf(error);
  if (isErrno(code)) return { code, message: `cannot be read (${code})` };
  // libuv has no name for some errors of file systems, such as ESTALE and EUCLEAN.
  if (error instanceof Error && "errno" in error && "syscall" in error) {
    const message = `cannot be read (system error ${error.errno} in ${error.syscall})`;
    return { code: "UNREADABLE", message };
  }
  const message = `cannot be read because of an unexpected ${nameOf(error)}; please report it`;
  return { code: "UNEXPECTED", message };
}

/**
 * What was raised on purpose, as it is; anything else as a failure that may be shown: what it is and
 * where in the code it came from.
 */
export function asInfluxionError(error: unknown): InfluxionError {
  if (error instanceof InfluxionError) return error;
  const message = `unexpected failure, please report it: ${nameOf(error)}${placeOf(error)}`;
  return new InfluxionError("UNEXPECTED", message, { cause: error });
}

/** Without its message: that of a parser holds a piece of what it parsed. */
function nameOf(error: unknown): string {
  const name = error instanceof Error ? error.name : typeof error;
  return [name, errnoOf(error)].filter(Boolean).join(" ");
}

/** ` at run/run.js:12:3`, or "" where that is not known. */
function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { stack = "", message } = error;
  // The message comes before the frames, and may have lines that look like one.
  const frames = stack.slice(stack.indexOf(message) + message.length);
  const place = /\n\s+at .*?([\w.-]+\/[\w.-]+:\d+:\d+)\)?(?=\n|$)/.exec(frames)?.[1];
  return place === undefined ? "" : ` at ${place}`;
}

function isErrno(code: string): code is Errno {
  return /^E[A-Z0-9]+$/.test(code);
}
