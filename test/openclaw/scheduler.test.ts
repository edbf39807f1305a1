import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createScheduler, type Scheduler } from "../../src/openclaw/scheduler.ts";
import type { RunEnd } from "../../src/openclaw/timetable.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  vi.useRealTimers();
});

/** A scheduler on a fake clock, and what began its runs and when, in seconds. */
function scheduled(end: RunEnd = { kind: "done" }, everyMs = 60 * MINUTE) {
  const from = Date.now();
  const runs: [string, number][] = [];
  const seconds = (): number => (Date.now() - from) / SECOND;
  const scheduler = createScheduler({
    everyMs,
    onChange: true,
    now: Date.now,
    random: () => 0,
    run: ({ trigger }) => {
      runs.push([trigger, seconds()]);
      return Promise.resolve(end);
    },
  });
  return { scheduler, runs, seconds };
}

async function afterFirstRun(scheduler: Scheduler): Promise<void> {
  scheduler.start();
  await vi.advanceTimersByTimeAsync(2 * MINUTE);
}

test("a change begins a run half a minute later, long before the interval is over", async () => {
  const { scheduler, runs } = scheduled();
  await afterFirstRun(scheduler);
  scheduler.changed();
  await vi.advanceTimersByTimeAsync(29 * SECOND);
  expect(runs).toEqual([["interval", 5]]);
  await vi.advanceTimersByTimeAsync(SECOND);
  expect(runs).toEqual([
    ["interval", 5],
    ["change", 150],
  ]);
  await scheduler.stop();
});

test("ten thousand changes make one run, and cost the caller microseconds", async () => {
  const { scheduler, runs } = scheduled();
  await afterFirstRun(scheduler);
  const from = performance.now();
  for (let n = 0; n < 10_000; n++) scheduler.changed();
  expect((performance.now() - from) / 10_000).toBeLessThan(0.1);
  expect(vi.getTimerCount()).toBe(1);
  await vi.advanceTimersByTimeAsync(30 * MINUTE);
  expect(runs).toHaveLength(2);
  await scheduler.stop();
});

test("changes without a pause begin a run every two minutes", async () => {
  const { scheduler, runs } = scheduled();
  await afterFirstRun(scheduler);
  for (let n = 0; n < 60; n++) {
    scheduler.changed();
    await vi.advanceTimersByTimeAsync(10 * SECOND);
  }
  expect(runs.slice(1).map(([, at]) => at)).toEqual([240, 360, 480, 600, 720]);
  await scheduler.stop();
});

test("after stop and before start, changes begin nothing and leave no timer", async () => {
  const { scheduler, runs } = scheduled();
  scheduler.changed();
  expect(vi.getTimerCount()).toBe(0);
  await afterFirstRun(scheduler);
  scheduler.changed();
  const stopped = scheduler.stop();
  await vi.advanceTimersByTimeAsync(SECOND);
  await stopped;
  scheduler.changed();
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  expect(runs).toHaveLength(1);
  expect(scheduler.next()).toBeNull();
});

test("an interval of 0 begins nothing, whatever changes", async () => {
  const { scheduler, runs } = scheduled({ kind: "done" }, 0);
  scheduler.start();
  scheduler.changed();
  await vi.advanceTimersByTimeAsync(60 * MINUTE);
  expect(runs).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
  expect(scheduler.next()).toBeNull();
});

test("a clock that is set back does not keep a change from being uploaded", async () => {
  const { scheduler, runs } = scheduled();
  await afterFirstRun(scheduler);
  scheduler.changed();
  vi.setSystemTime(Date.now() - 365 * 24 * 60 * MINUTE);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(runs).toHaveLength(2);
  await scheduler.stop();
});

test("what is done instead of a run waits for the one that goes on, and holds up the next", async () => {
  const order: string[] = [];
  const ends = Promise.withResolvers<RunEnd>();
  const scheduler = createScheduler({
    everyMs: MINUTE,
    now: Date.now,
    random: () => 0,
    run: async () => {
      order.push("run");
      return order.length === 1 ? await ends.promise : { kind: "done" };
    },
  });
  scheduler.start();
  await vi.advanceTimersByTimeAsync(10 * SECOND);
  const done = scheduler.instead(async () => {
    order.push("instead");
    await new Promise((resolve) => setTimeout(resolve, 10 * MINUTE));
    order.push("instead ends");
    return { kind: "done" };
  });
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(order).toEqual(["run"]);
  ends.resolve({ kind: "done" });
  await vi.advanceTimersByTimeAsync(10 * MINUTE);
  await done;
  expect(order).toEqual(["run", "instead", "instead ends"]);
  await vi.advanceTimersByTimeAsync(MINUTE);
  expect(order.at(-1)).toBe("run");
  await scheduler.stop();
});

test("the next run is known, on the clock of the day", async () => {
  const { scheduler, seconds } = scheduled();
  await afterFirstRun(scheduler);
  const from = Date.now() - seconds() * SECOND;
  expect(scheduler.next()).toEqual({ at: from + 5 * SECOND + 60 * MINUTE, trigger: "interval" });
  scheduler.changed();
  expect(scheduler.next()).toEqual({ at: from + 150 * SECOND, trigger: "change" });
  await scheduler.stop();
});
