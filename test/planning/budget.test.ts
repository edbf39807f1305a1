import fc from "fast-check";
import { expect, test } from "vitest";
import { allocateBudget, type Candidate, inOrder } from "../../src/planning/budget.ts";

const candidate = (key: string, bytes: number, servedAt = 0, changedAt = 0): Candidate => ({
  key,
  bytes,
  servedAt,
  changedAt,
});

const shares = (candidates: Candidate[], budget: number): Record<string, number> =>
  Object.fromEntries(
    allocateBudget(candidates, budget).map((share) => [share.candidate.key, share.bytes]),
  );

const anyCandidates = fc.uniqueArray(
  fc.record({
    key: fc.uuid(),
    bytes: fc.integer({ min: 1, max: 10_000 }),
    servedAt: fc.nat(9),
    changedAt: fc.nat(9),
  }),
  { selector: ({ key }) => key, maxLength: 30 },
);

test("whoever was served longest ago comes first; new sessions before all others, oldest change first", () => {
  const order = inOrder([
    candidate("served", 1, 5),
    candidate("young", 1, 0, 9),
    candidate("old", 1, 0, 2),
  ]);
  expect(order.map(({ key }) => key)).toEqual(["old", "young", "served"]);
});

test("small ones go whole before large ones get the rest", () => {
  expect(shares([candidate("giant", 1000), candidate("a", 10), candidate("b", 20)], 100)).toEqual({
    giant: 70,
    a: 10,
    b: 20,
  });
});

test("among large ones the first in order gets what is left", () => {
  expect(shares([candidate("x", 900), candidate("y", 800), candidate("a", 10)], 100)).toEqual({
    x: 90,
    a: 10,
  });
});

test("P36: shares never sum up to more than the budget, and nobody gets more than is waiting", () => {
  fc.assert(
    fc.property(anyCandidates, fc.integer({ min: 0, max: 20_000 }), (candidates, budget) => {
      const given = allocateBudget(inOrder(candidates), budget);
      expect(given.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThanOrEqual(budget);
      for (const share of given) expect(share.bytes).toBeLessThanOrEqual(share.candidate.bytes);
    }),
  );
});

test("a budget is used up while somebody waits", () => {
  fc.assert(
    fc.property(anyCandidates, fc.integer({ min: 1, max: 20_000 }), (candidates, budget) => {
      const waiting = candidates.reduce((sum, { bytes }) => sum + bytes, 0);
      const given = allocateBudget(inOrder(candidates), budget).reduce(
        (sum, { bytes }) => sum + bytes,
        0,
      );
      expect(given).toBe(Math.min(budget, waiting));
    }),
  );
});

test("P35: everybody is served within as many runs as there are sessions", () => {
  fc.assert(
    fc.property(anyCandidates, (candidates) => {
      const served = new Map<string, number>();
      for (let run = 1; run <= candidates.length; run++) {
        const [head] = inOrder(
          candidates.map((one) => ({ ...one, servedAt: served.get(one.key) ?? 0 })),
        );
        if (head !== undefined) served.set(head.key, run);
      }
      expect(served.size).toBe(candidates.length);
    }),
  );
});
