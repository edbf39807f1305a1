import { expect, test } from "vitest";
import { soak } from "./soak.ts";

const SEED = 20261122;

test("P2 P3 P4: killed at thirty random instants, nothing is lost, doubled or made up", async () => {
  const { violations, counts } = await soak({
    kills: 30,
    seed: SEED,
    hugeLines: false,
  });
  expect(violations).toEqual([]);
  expect(counts.lines).toBeGreaterThan(100);
}, 180_000);
