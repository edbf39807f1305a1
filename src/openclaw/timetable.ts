import type { RunTrigger } from "../run/options.ts";

/**
 * The first run comes within this time of the start, in ms, and never later than an
 * interval; not in its first sixth, while the Gateway is still busy with itself. The
 * rest is random, so that gateways restarted together do not strike together.
 */
const FIRST_RUN_MS = 30_000;
const FIRST_RUN_AFTER = 1 / 6;

/** A time is stretched by up to this share, and at most by this many ms. */
const JITTER = { share: 0.1, maxMs: 60_000 };

/** A change is uploaded when no other has followed it for this long, in ms: a turn is many changes. */
const QUIET_MS = 30_000;

/** In an agent that never pauses, a change waits for this long at most, in ms. */
const MOST_QUIET_MS = 120_000;

/** From the start of a run to one for changes, in ms. Doubles with each failure in a row. */
const BETWEEN_MS = 60_000;

/** How soon a run that was paused tries whether it still is, in ms. */
const PAUSE_CHECK_MS = 30_000;

/** How a run ended, as far as it matters for the next one. */
export type RunEnd =
  | { readonly kind: "done" }
  /** Uploads are paused. */
  | { readonly kind: "paused" }
  /** Not all was tried, e.g. since another process uploads: what has changed may still be waiting. */
  | { readonly kind: "incomplete" }
  /** Nothing arrives. `waitMs`: so long the API asked not to be called. */
  | { readonly kind: "unreachable"; readonly waitMs: number }
  /** What changes does not help: the API refuses the key, or there is no run. */
  | { readonly kind: "failed" };

export interface NextRun {
  /** On the clock of the timetable, in ms. */
  readonly at: number;
  readonly trigger: Exclude<RunTrigger, "command">;
}

export interface TimetableOptions {
  /** Time from the end of a run to the next one, in ms; more than 0. */
  readonly everyMs: number;
  /** Also run soon after a transcript has changed. */
  readonly onChange: boolean;
  /** In [0, 1). */
  readonly random: () => number;
}

/**
 * When the next run is due: an interval after the last one and, where changes are reported, soon
 * after one. Knows no clock and no timers: instants are given to it, in ms, and never go back.
 */
export class Timetable {
  readonly #everyMs: number;
  readonly #onChange: boolean;
  readonly #quietMs: number;
  #intervalAt: number;
  #change: { readonly firstAt: number; readonly lastAt: number } | null = null;
  /** No run for changes before. */
  #changesFrom = Number.NEGATIVE_INFINITY;
  #startedAt = Number.NEGATIVE_INFINITY;
  #failures = 0;

  constructor({ everyMs, onChange, random }: TimetableOptions, startAt: number) {
    this.#everyMs = everyMs + random() * Math.min(JITTER.maxMs, JITTER.share * everyMs);
    this.#onChange = onChange;
    this.#quietMs = QUIET_MS * (1 + JITTER.share * random());
    const within = Math.min(FIRST_RUN_MS, everyMs);
    this.#intervalAt = startAt + within * (FIRST_RUN_AFTER + random() * (1 - FIRST_RUN_AFTER));
  }

  /** Time from the end of a run to the next on the interval, in ms. */
  get everyMs(): number {
    return this.#everyMs;
  }

  get next(): NextRun {
    const at = this.#changeAt();
    return at < this.#intervalAt
      ? { at, trigger: "change" }
      : { at: this.#intervalAt, trigger: "interval" };
  }

  /** A transcript has changed. Costs next to nothing: it comes with every message. */
  changed(at: number): void {
    if (this.#onChange) this.#change = { firstAt: this.#change?.firstAt ?? at, lastAt: at };
  }

  /** A run begins. It finds what has changed until now. */
  began(at: number): void {
    this.#startedAt = at;
    this.#change = null;
  }

  ended(at: number, end: RunEnd): void {
    switch (end.kind) {
      case "paused":
        this.#intervalAt = at + PAUSE_CHECK_MS;
        return;
      case "incomplete":
        if (this.#intervalAt <= at) this.#intervalAt = at + this.#everyMs;
        this.#changesFrom = Math.max(this.#changesFrom, this.#startedAt + BETWEEN_MS);
        this.changed(at);
        return;
      case "done":
        this.#failures = 0;
        this.#changesFrom = this.#startedAt + BETWEEN_MS;
        break;
      case "unreachable":
        this.#failures++;
        this.#changesFrom = at + Math.max(end.waitMs, BETWEEN_MS * 2 ** this.#failures);
        break;
      case "failed":
        this.#changesFrom = Number.POSITIVE_INFINITY;
    }
    this.#intervalAt = at + this.#everyMs;
  }

  #changeAt(): number {
    if (this.#change === null) return Number.POSITIVE_INFINITY;
    const { firstAt, lastAt } = this.#change;
    const quiet = Math.min(lastAt + this.#quietMs, firstAt + MOST_QUIET_MS);
    return Math.max(quiet, this.#changesFrom);
  }
}
