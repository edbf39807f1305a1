import type { RunContext } from "../run/options.ts";

/**
 * The first run comes within this time of the start, in ms, and never later than an
 * interval; not in its first sixth, while the Gateway is still busy with itself. The
 * rest is random, so that gateways restarted together do not strike together.
 */
const FIRST_RUN_MS = 30_000;
const FIRST_RUN_AFTER = 1 / 6;

/** An interval is stretched by up to this share, and at most by this many ms. */
const JITTER = { share: 0.1, maxMs: 60_000 };

/**
 * The clock is looked at this often, in ms: an interval may be longer than
 * setTimeout can hold (2^31 - 1), and timers stand still while a laptop sleeps.
 */
const TICK_MS = 30_000;

/** Longest time that {@link Scheduler.stop} waits for a run, in ms: the Gateway goes on whatever a run is stuck in. */
const STOP_MS = 900;

export interface SchedulerOptions extends Pick<RunContext, "now" | "random"> {
  /** Time from the end of a run to the next one, in ms; 0 never runs. */
  readonly everyMs: number;
  /** Must not throw; resolves when the run has ended. */
  readonly run: (signal: AbortSignal, nextAt: (endedAt: number) => number) => Promise<unknown>;
}

/** Runs something on an interval, one at a time, until it is stopped. */
export interface Scheduler {
  start(): void;
  /** Ends the run that is going on and resolves when nothing is left of it, or after a second. */
  stop(): Promise<void>;
}

export function createScheduler({ everyMs, run, now, random }: SchedulerOptions): Scheduler {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<unknown> = Promise.resolve();

  const interval = everyMs + random() * Math.min(JITTER.maxMs, JITTER.share * everyMs);

  const wait = (ms: number): void => {
    const dueAt = now() + ms;
    let left = ms;
    const tick = (): void => {
      const step = Math.min(left, TICK_MS);
      timer = setTimeout(() => {
        left -= step;
        // By the wall clock after a sleep, by the timer when the clock was set back.
        if (left <= 0 || now() >= dueAt) running = go();
        else tick();
      }, step);
    };
    tick();
  };

  const go = async (): Promise<void> => {
    await run(abort.signal, (endedAt) => endedAt + interval);
    if (!abort.signal.aborted) wait(interval);
  };

  return {
    start() {
      if (everyMs <= 0 || abort.signal.aborted) return;
      const within = Math.min(FIRST_RUN_MS, everyMs);
      wait(within * (FIRST_RUN_AFTER + random() * (1 - FIRST_RUN_AFTER)));
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
