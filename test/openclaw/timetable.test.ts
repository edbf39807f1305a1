import { expect, test } from "vitest";
import { type RunEnd, Timetable } from "../../src/openclaw/timetable.ts";

const SECOND = 1000;
const MINUTE = 60 * SECOND;

/** A timetable after its first run, which began and ended at 0. */
function ran({ everyMs = 60 * MINUTE, onChange = true, random = 0 } = {}): Timetable {
  const timetable = new Timetable({ everyMs, onChange, random: () => random }, -MINUTE);
  finish(timetable, 0);
  return timetable;
}

function finish(timetable: Timetable, at: number, end: RunEnd = { kind: "done" }): void {
  timetable.began(at);
  timetable.ended(at, end);
}

test("a change is due half a minute after it, when the last run is a minute ago", () => {
  const timetable = ran();
  timetable.changed(5 * MINUTE);
  expect(timetable.next).toEqual({ at: 5 * MINUTE + 30 * SECOND, trigger: "change" });
});

test("each further change puts it off, but not for more than two minutes", () => {
  const timetable = ran();
  for (let at = 5 * MINUTE; at < 20 * MINUTE; at += 10 * SECOND) timetable.changed(at);
  expect(timetable.next.at).toBe(7 * MINUTE);
});

test("runs for changes begin a minute apart", () => {
  const timetable = ran();
  timetable.changed(10 * SECOND);
  expect(timetable.next.at).toBe(MINUTE);
});

test("a change during a run is due after it, one from before it is not", () => {
  const timetable = ran();
  timetable.changed(5 * MINUTE);
  timetable.began(6 * MINUTE);
  timetable.changed(7 * MINUTE);
  timetable.ended(8 * MINUTE, { kind: "done" });
  expect(timetable.next).toEqual({ at: 7 * MINUTE + 30 * SECOND, trigger: "change" });
  finish(timetable, 8 * MINUTE);
  expect(timetable.next.trigger).toBe("interval");
});

test("the time after a change is jittered", () => {
  const timetable = ran({ random: 0.5 });
  timetable.changed(5 * MINUTE);
  expect(timetable.next.at).toBe(5 * MINUTE + 31.5 * SECOND);
});

test("the interval is the floor: a change that would be due later does not put it off", () => {
  const timetable = ran({ everyMs: 20 * SECOND });
  timetable.changed(5 * SECOND);
  expect(timetable.next).toEqual({ at: 20 * SECOND, trigger: "interval" });
});

test("a run for a change is a run: the interval begins anew", () => {
  const timetable = ran();
  timetable.changed(5 * MINUTE);
  finish(timetable, 6 * MINUTE);
  expect(timetable.next).toEqual({ at: 66 * MINUTE, trigger: "interval" });
});

test("changes are nothing where they are switched off", () => {
  const timetable = ran({ onChange: false });
  timetable.changed(5 * MINUTE);
  expect(timetable.next).toEqual({ at: 60 * MINUTE, trigger: "interval" });
});

test("while the API asks not to be called, a change waits for that time to be over", () => {
  const timetable = ran();
  finish(timetable, MINUTE, { kind: "unreachable", waitMs: 20 * MINUTE });
  timetable.changed(2 * MINUTE);
  expect(timetable.next).toEqual({ at: 21 * MINUTE, trigger: "change" });
});

test("where nothing arrives, runs for changes come at longer and longer distances until one arrives", () => {
  const timetable = ran();
  const due = [];
  for (let n = 0, at = MINUTE; n < 4; n++) {
    finish(timetable, at, { kind: "unreachable", waitMs: 0 });
    timetable.changed(at);
    due.push((timetable.next.at - at) / MINUTE);
    at = timetable.next.at;
  }
  expect(due).toEqual([2, 4, 8, 16]);
  const { at } = timetable.next;
  finish(timetable, at);
  timetable.changed(at + 5 * MINUTE);
  expect(timetable.next.at).toBe(at + 5.5 * MINUTE);
});

test("where the API refuses the key, changes wait for a run on the interval that is not refused", () => {
  const timetable = ran({ everyMs: 15 * MINUTE });
  finish(timetable, MINUTE, { kind: "failed" });
  timetable.changed(2 * MINUTE);
  expect(timetable.next).toEqual({ at: 16 * MINUTE, trigger: "interval" });
  finish(timetable, 16 * MINUTE);
  timetable.changed(18 * MINUTE);
  expect(timetable.next.trigger).toBe("change");
});

test("a pause releases no hold, and is looked at again every half minute", () => {
  const timetable = ran();
  finish(timetable, MINUTE, { kind: "failed" });
  finish(timetable, 2 * MINUTE, { kind: "paused" });
  timetable.changed(2 * MINUTE);
  expect(timetable.next).toEqual({ at: 2.5 * MINUTE, trigger: "interval" });
});

test("what has changed while another process uploads is not forgotten, and the interval goes on as it was", () => {
  const timetable = ran();
  timetable.changed(5 * MINUTE);
  finish(timetable, 6 * MINUTE, { kind: "incomplete" });
  expect(timetable.next).toEqual({ at: 7 * MINUTE, trigger: "change" });
  finish(timetable, 7 * MINUTE);
  expect(timetable.next.at).toBe(67 * MINUTE);
});
