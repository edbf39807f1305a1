import { spawn } from "node:child_process";
import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { cpuReader, type ReadCpu } from "../../bench/lib/cpu.ts";
import { type Figure, figuresOf, formatRounds, formatTable } from "../../bench/lib/figures.ts";
import { describeRounds, measureRounds, type RoundCounts } from "../../bench/lib/rounds.ts";

const ROUND_MS = 1000;

/** A machine where each round takes a second, all of it this bench's CPU, and others take these ms beside it. */
function machineOf(others: readonly number[]): ReadCpu {
  let readings = 0;
  return () => {
    const ended = Math.ceil(readings++ / 2);
    const ownMs = ended * ROUND_MS;
    const othersMs = others.slice(0, ended).reduce((sum, ms) => sum + ms, 0);
    return { at: ended * ROUND_MS, machineMs: ownMs + othersMs, ownMs };
  };
}

/** Rounds that say which they are, from 0. */
function counted(): () => Promise<number> {
  let count = 0;
  return async () => count++;
}

test("a round beside other programs is thrown away and made again", async () => {
  const readCpu = machineOf([0, 900, 20, 0]);
  const { results, rounds } = await measureRounds({ wanted: 3, readCpu }, counted());
  expect(results).toEqual([0, 2, 3]);
  expect(rounds).toMatchObject({ made: 4, kept: 3, disturbed: 0 });
  expect(describeRounds(rounds)).toBe("1 of 4 rounds thrown away because other programs ran");
});

test("of at most twice as many rounds the quietest are kept, and it is said that they are disturbed", async () => {
  const readCpu = machineOf([900, 300, 0, 900, 400, 900]);
  const { results, rounds } = await measureRounds({ wanted: 3, readCpu }, counted());
  expect(results).toEqual([1, 2, 4]);
  expect(rounds).toEqual({ made: 6, kept: 3, disturbed: 2, othersCores: 0.4 });
  expect(describeRounds(rounds)).toBe(
    "DISTURBED: 2 of 3 rounds, by up to 0.4 cores; the quietest of 6",
  );
});

test("where nobody knows what others do, every round is kept", async () => {
  const { results, rounds } = await measureRounds({ wanted: 3, readCpu: null }, counted());
  expect(results).toEqual([0, 1, 2]);
  expect(rounds).toMatchObject({ made: 3, kept: 3, disturbed: 0 });
});

const figureOf = (rounds: RoundCounts): Figure[] =>
  figuresOf(rounds, [{ section: "Uploads", what: "time", value: 7, unit: "ms", goal: 10 }]);

test("the table says what was thrown away", () => {
  const figures = figureOf({ made: 4, kept: 3, disturbed: 0, othersCores: 0 });
  const table = formatTable(figures);
  expect(table).toContain("Uploads\n(1 of 4 rounds thrown away because other programs ran)\n");
  expect(table).toMatch(/^time .* reached$/m);
  expect(formatRounds(figures)).toBe("Rounds: 4, thrown away because other programs ran: 1.\n");
});

test("a figure of disturbed rounds has not reached its goal in the table, whatever it is", () => {
  const figures = figureOf({ made: 6, kept: 3, disturbed: 2, othersCores: 1 });
  expect(formatTable(figures)).toMatch(/^time .* DISTURBED: 2 of 3 rounds$/m);
  expect(formatRounds(figures)).toContain("DISTURBED: other programs ran");
});

const BUSY = "for (;;);";

test.runIf(process.platform === "linux")("a busy process beside a round disturbs it", async () => {
  const readCpu = cpuReader([process.pid]);
  const busy = spawn(process.execPath, ["-e", BUSY], { stdio: "ignore" });
  await once(busy, "spawn");
  try {
    const { rounds } = await measureRounds({ wanted: 2, readCpu }, () => sleep(500));
    expect(rounds).toMatchObject({ made: 4, kept: 2, disturbed: 2 });
  } finally {
    busy.kill();
    await once(busy, "exit");
  }
});
