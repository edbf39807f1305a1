import { expect, test } from "vitest";
import { backoffMs, MAX_BACKOFF_MS } from "../../src/upload/retry.ts";
import { MAX_RETRY_AFTER_MS, parseRetryAfter } from "../../src/upload/retry-after.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");

test("the back-off doubles, has full jitter and a cap", () => {
  const most = [0, 1, 2, 3].map((retry) => backoffMs(retry, 5000, () => 0.999_999));
  expect(most).toEqual([5000, 10_000, 20_000, 40_000]);
  expect(backoffMs(5, 5000, () => 0)).toBe(0);
  expect(backoffMs(5, 5000, () => 0.5)).toBe(80_000);
  expect(backoffMs(1000, 5000, () => 0.999_999_9)).toBe(MAX_BACKOFF_MS);
});

test.for([
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7000],
  ["86400", MAX_RETRY_AFTER_MS],
  ["86401", undefined],
  ["1e3", undefined],
  ["0x10", undefined],
  ["-1", undefined],
  ["1.5", undefined],
  ["", undefined],
  [undefined, undefined],
  ["Sun, 22 Nov 2026 12:02:00 GMT", 120_000],
  ["Sun, 22 Nov 2026 11:00:00 GMT", 0],
  ["Tue, 22 Nov 2033 12:00:00 GMT", undefined],
  ["2026-11-22T12:02:00Z", undefined],
  ["tomorrow", undefined],
] as const)("P41: Retry-After %j asks for %j ms", ([value, ms]) => {
  expect(parseRetryAfter(value, NOW)).toBe(ms);
});
