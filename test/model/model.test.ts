import fc from "fast-check";
import { expect, test } from "vitest";
import { steps } from "./actions.ts";
import { Ingest } from "./ingest.ts";
import { World } from "./world.ts";

/** `MODEL_SEED=7 MODEL_SECONDS=600 npx vitest run test/model` looks further than every build does. */
const { MODEL_SEED, MODEL_SECONDS = "20" } = process.env;

test(
  "P12 P13 P14 P16 P17 P18 P31 P74: whatever hosts, networks and crashes do, each line on disk is held once and nothing else is",
  async () => {
    await using ingest = await Ingest.start();
    const property = fc.asyncProperty(steps, async (taken) => {
      using world = new World(ingest);
      for (const step of taken) await world.take(step);
      expect([...(await world.settle()), ...ingest.violations]).toEqual([]);
    });
    await fc.assert(property, {
      ...(MODEL_SEED === undefined ? {} : { seed: Number(MODEL_SEED) }),
      numRuns: 100_000,
      interruptAfterTimeLimit: Number(MODEL_SECONDS) * 1000,
    });
  },
  Number(MODEL_SECONDS) * 1000 + 40_000,
);
