/** Something a person should know about; `message` says what happened and what to do. */
export interface Problem {
  /** Stable and greppable, e.g. `SYMLINK_OUTSIDE`. */
  readonly code: string;
  readonly message: string;
  readonly agentId?: string;
  readonly sessionId?: string;
}

/** Base of every failure this plugin raises on purpose. */
export class InfluxionError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
    this.code = code;
  }
}

/** A store, or one stream of it, cannot be read (now). */
export class StoreError extends InfluxionError {}

/** The range that was planned is no longer there: the host rewrote or removed the stream. */
export class SourceChangedError extends InfluxionError {
  constructor(message: string, options?: ErrorOptions) {
    super("SOURCE_CHANGED", message, options);
  }
}

/** The system error code of `error` (`ENOENT`, `EACCES`, …), or "". */
export function errnoOf(error: unknown): string {
  return error instanceof Error && "code" in error && typeof error.code === "string"
    ? error.code
    : "";
}
