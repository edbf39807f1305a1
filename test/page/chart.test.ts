import { expect, test } from "vitest";
import { chart } from "../../src/page/chart.ts";

const bars = (text: string): string[] => text.match(/<rect[^>]*>/g) ?? [];
const draw = (values: readonly number[]): string =>
  chart({ title: "Sessions", values, format: String }).text;

test("the highest value has the whole height, half of it half, and 0 no bar", () => {
  expect(bars(draw([4, 0, 8]))).toEqual([
    '<rect class="bar" x="171" y="50" width="8" height="50"/>',
    '<rect class="bar" x="191" y="0" width="8" height="100"/>',
  ]);
});

test("a value beside one that is a million times as high can be seen", () => {
  expect(bars(draw([1, 1_000_000]))[0]).toContain('height="2"');
});

test("a few bars stand at the right, where the newest are, and are as wide as many", () => {
  expect(draw([1])).toContain('viewBox="0 0 200 100"');
  expect(draw(new Array<number>(40).fill(1))).toContain('viewBox="0 0 400 100"');
});

test("what the bars show is said in words as well", () => {
  expect(draw([1, 2])).toContain(
    'aria-label="Sessions in the last 2 runs: 3 together, 2 at most in one"',
  );
});

test("without a run, or with nothing in any, there is no bar and no division by 0", () => {
  expect(draw([])).not.toMatch(/NaN|rect/);
  expect(draw([0, 0])).not.toMatch(/NaN|rect/);
});
