import { expect, test } from "vitest";
import { fleetSoak } from "./fleet.ts";

test("whatever is killed, receivers or the primary, every line is held once", {
  timeout: 240_000,
}, async () => {
  const { violations, counts } = await fleetSoak({ kills: 12, seed: 5, gateways: 8, receivers: 2 });
  expect(violations).toEqual([]);
  expect(counts.receiptsCompared).toBeGreaterThan(0);
  expect(counts.failOvers).toBeGreaterThan(0);
});
