import { expect, test } from "vitest";
import type { FileAction, Run, Step } from "./actions.ts";
import { Ingest } from "./ingest.ts";
import { World } from "./world.ts";

/** Sequences that once ended badly, as small as they become. */
async function outcomeOf(steps: readonly Step[]): Promise<string[]> {
  await using ingest = await Ingest.start();
  using world = new World(ingest);
  for (const step of steps) await world.take(step);
  return [...(await world.settle()), ...ingest.violations];
}

const write = (action: FileAction, fresh = false, session = 0): Step & { kind: "write" } => ({
  kind: "write",
  session,
  action,
  fresh,
});

const append = (...sizes: number[]): Step => write({ kind: "append", sizes });

const run = (options: Partial<Run> = {}): Step => ({
  kind: "run",
  treatments: [{ kind: "ok" }],
  retryAttempts: 0,
  maxBytesPerRun: 10_000_000,
  killedAt: null,
  meanwhile: null,
  ...options,
});

test("P13: a run that sees only the first bytes of a rewrite does not forget the session", async () => {
  const firstByte = write({ kind: "rewriteSame", share: 0.01 });
  // Something else has to change, or the run would not be written down.
  const other = write({ kind: "append", sizes: [10] }, false, 1);
  expect(await outcomeOf([append(10), run(), firstByte, other, run()])).toEqual([]);
});

test("P17: a last line without newline is delivered before what follows a reset", async () => {
  const steps = [
    write({ kind: "noNewline" }, true),
    run(),
    write({ kind: "reset", anew: true, late: false }, true),
    run(),
  ];
  expect(await outcomeOf(steps)).toEqual([]);
});

test("P31: a session rewritten between two attempts does not go out under the old key", async () => {
  const meanwhile = write({ kind: "rewriteOther", keep: 1 });
  const treatments = [{ kind: "unavailable" }, { kind: "ok" }] as const;
  const steps = [append(10, 10), run({ treatments, retryAttempts: 1, meanwhile })];
  expect(await outcomeOf(steps)).toEqual([]);
});

test("P31: a session rewritten while a dead run's part is sent again begins anew", async () => {
  const meanwhile = write({ kind: "edit", line: 1 });
  const steps = [
    append(10, 10),
    run({ killedAt: 0, treatments: [{ kind: "drop" }] }),
    run({ treatments: [{ kind: "unavailable" }, { kind: "ok" }], retryAttempts: 1, meanwhile }),
  ];
  expect(await outcomeOf(steps)).toEqual([]);
});

for (const [place, steps] of Object.entries({
  "in front of": [run(), write({ kind: "blank", count: 200 }), append(300)],
  behind: [run(), append(300), write({ kind: "blank", count: 200 })],
})) {
  test(`P40: a part that is halved ${place} blank lines never becomes a part without lines`, async () => {
    const limit = run({ treatments: [{ kind: "limit", bytes: 100 }, { kind: "ok" }] });
    expect(await outcomeOf([append(0), ...steps, limit])).toEqual([]);
  });
}
