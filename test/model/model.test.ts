import fc from "fast-check";
import { expect, test } from "vitest";
import { steps } from "./actions.ts";
import { Ingest } from "./ingest.ts";
import { World } from "./world.ts";

test("whatever hosts, networks and crashes do, each line on disk is held once and nothing else is", async () => {
  await using ingest = await Ingest.start();
  const property = fc.asyncProperty(steps, async (taken) => {
    using world = new World(ingest);
    for (const step of taken) await world.take(step);
    expect([...(await world.settle()), ...ingest.violations]).toEqual([]);
  });
  const seed = process.env.MODEL_SEED === undefined ? {} : { seed: Number(process.env.MODEL_SEED) };
  await fc.assert(property, { numRuns: Number(process.env.MODEL_RUNS ?? 100), ...seed });
}, 60_000);
