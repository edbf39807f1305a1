import type { RunContext } from "../run/options.ts";
import { type NextRun, type RunEnd, Timetable } from "./timetable.ts";

/**
 * The clock is looked at this often, in ms: an interval may be longer than
 * setTimeout can hold (2^31 - 1), and timers stand still while a laptop sleeps.
 */
const TICK_MS = 30_000;

/** Longest time that {@link Scheduler.stop} waits for a run, in ms: the Gateway goes on whatever a run is stuck in. */
const STOP_MS = 900;

/** What a scheduled run is given. */
export interface ScheduledRun {
  readonly signal: AbortSignal;
  readonly trigger: NextRun["trigger"];
  /** When the next run on the interval is due if this one ends then, or null; both in ms since the epoch. */
  readonly nextAt: (endedAt: number) => number | null;
}

export interface SchedulerOptions extends Pick<RunContext, "now" | "random"> {
  /** Time from the end of a run to the next one, in ms; 0 never runs. */
  readonly everyMs: number;
  /** Also run soon after {@link Scheduler.changed}. @default false */
  readonly onChange?: boolean;
  /** Must not throw; resolves when the run has ended. */
  readonly run: (run: ScheduledRun) => Promise<RunEnd>;
}

/** Runs something on an interval and soon after changes, one at a time, until it is stopped. */
export interface Scheduler {
  start(): void;
  /** A transcript has changed. Never throws; does nothing before the start and after the end. */
  changed(): void;
  /**
   * Does something in the place of a run: when none is going on, and none begins meanwhile.
   * @param work must not throw
   */
  instead(work: (run: Omit<ScheduledRun, "trigger">) => Promise<RunEnd>): Promise<void>;
  /** The next run, in ms since the epoch; null where none is scheduled. */
  next(): NextRun | null;
  /** Ends the run that is going on and resolves when nothing is left of it, or after a second. */
  stop(): Promise<void>;
}

export function createScheduler(options: SchedulerOptions): Scheduler {
  const { everyMs, onChange = false, run, now, random } = options;
  const abort = new AbortController();
  const { signal } = abort;
  const time = new SteadyTime(now);
  let timetable: Timetable | null = null;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  const nextAt = (endedAt: number): number | null =>
    timetable === null ? null : endedAt + timetable.everyMs;

  const arm = (): void => {
    clearTimeout(timer);
    if (timetable === null || waiting > 0 || signal.aborted) return;
    const from = time.now();
    const step = Math.max(0, Math.min(timetable.next.at - from, TICK_MS));
    timer = setTimeout(() => {
      time.atLeast(from + step);
      if (timetable === null || timetable.next.at > time.now()) return arm();
      const { trigger } = timetable.next;
      void queue(() => run({ signal, trigger, nextAt }));
    }, step);
  };

  /** One after the other; the timer stands still meanwhile. */
  const queue = (work: () => Promise<RunEnd>): Promise<unknown> => {
    waiting++;
    clearTimeout(timer);
    running = running.then(async () => {
      if (!signal.aborted) {
        timetable?.began(time.now());
        const end = await work();
        timetable?.ended(time.now(), end);
      }
      waiting--;
      arm();
    });
    return running;
  };

  return {
    start() {
      if (everyMs <= 0 || signal.aborted || timetable !== null) return;
      timetable = new Timetable({ everyMs, onChange, random }, time.now());
      arm();
    },
    changed() {
      if (timetable === null || signal.aborted) return;
      const before = timetable.next.at;
      timetable.changed(time.now());
      // The timer finds out by itself about what is due later than it rings.
      if (timetable.next.at < before) arm();
    },
    async instead(work) {
      await queue(() => work({ signal, nextAt }));
    },
    next() {
      if (timetable === null || signal.aborted) return null;
      const { at, trigger } = timetable.next;
      return { at: Math.round(now() + (at - time.now())), trigger };
    },
    async stop() {
      abort.abort();
      clearTimeout(timer);
      const late = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, STOP_MS);
      });
      await Promise.race([running, late]);
      clearTimeout(timer);
    },
  };
}

/** Time that never goes back, in ms: by the wall clock after a sleep, by timers when that was set back. */
class SteadyTime {
  readonly #wall: () => number;
  #lastWall: number;
  #time: number;

  constructor(wall: () => number) {
    this.#wall = wall;
    this.#lastWall = wall();
    this.#time = this.#lastWall;
  }

  now(): number {
    const wall = this.#wall();
    this.#time += Math.max(0, wall - this.#lastWall);
    this.#lastWall = wall;
    return this.#time;
  }

  /** A timer knows that it is at least this late. */
  atLeast(time: number): void {
    this.#time = Math.max(this.now(), time);
  }
}
