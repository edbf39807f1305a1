import fc from "fast-check";
import { expect, test } from "vitest";
import { digestOf, idOf, storedId } from "../../../src/receiver/postgres/ids.ts";

const id = fc.oneof(
  fc.string({ unit: "binary" }),
  fc
    .array(fc.constantFrom("\\", "u", "0000", "\0", "\ud800", "\udc00", "\\u0000", "a"))
    .map((all) => all.join("")),
);

test("an id is the same after it was stored, whatever is in it", () => {
  fc.assert(
    fc.property(id, (one) => {
      expect(idOf(storedId(one))).toBe(one);
    }),
    { numRuns: 5000 },
  );
});

test("an id is stored as text that PostgreSQL can hold", () => {
  fc.assert(
    fc.property(id, (one) => {
      const stored = storedId(one);
      expect(stored.isWellFormed() && !stored.includes("\0")).toBe(true);
    }),
    { numRuns: 5000 },
  );
});

test("ordinary ids are stored as they are", () => {
  for (const one of ["3f2c9e1a-0b4d-4c7e", "größe", "日本語", "🦞", "a/b"]) {
    expect(storedId(one)).toBe(one);
  }
});

test("no two sessions have one digest, wherever their ids are cut", () => {
  const of = (...[projectId = "", deploymentId = "", agentId = "", sessionId = ""]: string[]) =>
    digestOf({ projectId, deploymentId, agentId, sessionId }).toString("hex");
  const digests = [
    of("a", "b", "c", "d"),
    of("ab", "", "c", "d"),
    of("a", "b", "cd", ""),
    of("a", "b", "c", "\ud800"),
    of("a", "b", "c", "\ud801"),
  ];
  expect(new Set(digests).size).toBe(digests.length);
});
