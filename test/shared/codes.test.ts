import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { CODES } from "../../src/shared/codes.ts";
import { InfluxionError, type Problem } from "../../src/shared/problem.ts";

const root = join(import.meta.dirname, "../..");
const text = (path: string): string => readFileSync(join(root, path), "utf8");

test("docs/errors.md has each code once, in the order of the catalogue, with what happened and what to do", () => {
  const rows = text("docs/errors.md").matchAll(/^\| `(.+?)` \| .+ \| .+ \|$/gm);
  expect(Array.from(rows, ([, code]) => code)).toEqual([...CODES]);
  expect(new Set(CODES).size).toBe(CODES.length);
});

test("each code of the catalogue is used", () => {
  const paths = readdirSync(join(root, "src"), { recursive: true, encoding: "utf8" });
  const source = paths
    .filter((path) => path.endsWith(".ts") && path !== join("shared", "codes.ts"))
    .map((path) => text(join("src", path)))
    .join("\n");
  expect(CODES.filter((code) => !source.includes(`"${code}"`))).toEqual([]);
});

test("a code that is not in the catalogue does not compile", () => {
  // @ts-expect-error
  const error = new InfluxionError("LEDGER_UNREADABEL", "it cannot be read");
  // @ts-expect-error: nor one that looks like a code of the system
  const problem: Problem = { code: "ENTRY_SKIPED", message: "it is left out" };
  expect([error.code, problem.code]).toEqual(["LEDGER_UNREADABEL", "ENTRY_SKIPED"]);
});
