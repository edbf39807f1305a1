import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..", "..");
const text = (path: string): string => readFileSync(join(root, path), "utf8");

/** The numbers in `P12` and the like. */
const numbersIn = (content: string): number[] =>
  [...content.matchAll(/\bP(\d+)\b/g)].map(([, number]) => Number(number));

const promised = [...text("docs/promises.md").matchAll(/^(\d+)\. /gm)].map(([, number]) =>
  Number(number),
);

test("each promise has a number of its own, from 1 on", () => {
  expect(promised).toEqual(Array.from({ length: promised.length }, (_, index) => index + 1));
});

test("each promise has a test that is named after it, and each test a promise", () => {
  const names = globSync("test/**/*.test.ts", { cwd: root, exclude: ["test/host/**"] }).flatMap(
    (path) => [...text(path).matchAll(/\btest\S*\(\s*["'`]([^"'`]*)/g)].map(([, name]) => name),
  );
  const tested = new Set(names.flatMap((name) => numbersIn(name ?? "")));
  expect(promised.filter((number) => !tested.has(number))).toEqual([]);
  expect([...tested].filter((number) => !promised.includes(number))).toEqual([]);
});

test("the guarantees rest on promises that exist", () => {
  const cited = new Set(numbersIn(text("docs/guarantees.md")));
  expect([...cited].filter((number) => !promised.includes(number))).toEqual([]);
});
