import { statSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type Bench, databasePath, makeState, STORES, type StoreKind } from "../lib/bench.ts";
import { built } from "../lib/built.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, median, medianOf } from "../lib/figures.ts";
import type { RoundCounts } from "../lib/rounds.ts";
import { NOW, type UploadInput } from "../lib/upload.ts";
import type { IdleResult } from "../programs/idle.ts";
import type { UploadResult } from "../programs/upload.ts";

/** What runs with nothing to do cost. */
interface IdleCosts {
  /**
   * CPU of a run, in ms: of later ones, of the first after a start, of that one where the host had written to the
   * database, and where something had changed.
   */
  readonly laterMs: number;
  /** Of a later one: most CPU of the Gateway's thread in one turn of the event loop. */
  readonly turnMs: number;
  readonly firstMs: number;
  /** 0 where there is no database. */
  readonly writtenMs: number;
  readonly wholeMs: number;
  readonly requests: number;
  readonly ledgerWrites: number;
}

/** The same over one store. */
export interface IdleCase extends IdleCosts {
  readonly store: StoreKind;
  readonly rounds: RoundCounts;
}

const WRITTEN = "database written to but nothing new";

/** Goal 5: what a run costs when nothing is new. */
export async function idle(bench: Bench): Promise<Figure[]> {
  const counts = bench.quick ? [1000] : bench.large ? [10_000, 100_000] : [10_000];
  const figures: Figure[] = [];
  for (const count of counts) {
    const section = `A run with nothing to do over ${count} known sessions`;
    const goal = (60 * count) / 10_000;
    const startGoal = count === 100_000 ? 2000 : 250;
    for (const one of await measureIdle(bench, count)) {
      const start = `${one.store}: CPU, the first after a start`;
      const figuresOfStore = [
        { section, what: `${one.store}: CPU`, value: one.laterMs, unit: "ms", goal },
        {
          section,
          what: `${one.store}: main thread's CPU in one turn, worst`,
          value: one.turnMs,
          unit: "ms",
          goal: 2,
        },
        { section, what: start, value: one.firstMs, unit: "ms", goal: startGoal },
        ...(one.store === "sqlite"
          ? [
              {
                section,
                what: `${start}, ${WRITTEN}`,
                value: one.writtenMs,
                unit: "ms",
                goal: startGoal,
              },
            ]
          : []),
        { section, what: `${start}, where something had changed`, value: one.wholeMs, unit: "ms" },
        { section, what: `${one.store}: requests`, value: one.requests, unit: "", goal: 0 },
        {
          section,
          what: `${one.store}: ledger writes`,
          value: one.ledgerWrites,
          unit: "",
          goal: 0,
        },
      ];
      figures.push(...figuresOf(one.rounds, figuresOfStore));
    }
  }
  return figures;
}

/** @param count sessions that are known */
export async function measureIdle(bench: Bench, count: number): Promise<IdleCase[]> {
  const cases: IdleCase[] = [];
  for (const store of STORES) {
    const seeds = Array.from({ length: count }, (_, seed) => ({ seed: seed + 1, bytes: 2000 }));
    const stateDir = makeState(bench, `idle${count}`, store, seeds);
    const input = { stateDir, apiUrl: bench.sink.url, now: NOW, inWorker: true };
    const runOnce = () => runProgram<UploadResult>("upload", input);
    await runOnce();
    // The first run after an upload notes that there is nothing more.
    await runOnce();
    await bench.sink.takeCounts();
    const { results, rounds } = await bench.measure(`idle, ${store}`, 1, () =>
      idleRound(bench, input, store),
    );
    const of = (key: keyof IdleCosts): number => medianOf(results, (costs) => costs[key]);
    cases.push({
      store,
      rounds,
      laterMs: of("laterMs"),
      turnMs: of("turnMs"),
      firstMs: of("firstMs"),
      writtenMs: of("writtenMs"),
      wholeMs: of("wholeMs"),
      requests: of("requests"),
      ledgerWrites: of("ledgerWrites"),
    });
  }
  return cases;
}

async function idleRound(
  { sink }: Bench,
  input: UploadInput,
  store: StoreKind,
): Promise<IdleCosts> {
  const { stateDir } = input;
  // What the round before has left, as a run does that finds something changed.
  await rm(join(stateDir, "influxion", "idle.json"), { force: true });
  // What one process finds out is left to the next one.
  const { cpuMs: whole } = await runProgram<IdleResult>("idle", { ...input, runs: 1 });
  const before = await ledgerMark(stateDir);
  const { cpuMs, turnMs, parts } = await runProgram<IdleResult>("idle", { ...input, runs: 6 });
  if (parts > 0) throw new Error(`${parts} parts were sent although nothing was new`);
  const [first = Number.NaN, ...later] = cpuMs;
  const writtenMs = store === "sqlite" ? await measureWritten(input) : 0;
  const { requests } = await sink.takeCounts();
  const ledgerWrites = before === (await ledgerMark(stateDir)) ? 0 : 1;
  return {
    laterMs: median(later),
    turnMs,
    firstMs: first,
    writtenMs,
    wholeMs: median(whole),
    requests,
    ledgerWrites,
  };
}

/** CPU of the first run after a start at which the host keeps its books, in ms. */
async function measureWritten(input: UploadInput): Promise<number> {
  const db = new DatabaseSync(databasePath(input.stateDir));
  db.exec("CREATE TABLE IF NOT EXISTS cache_entries (at INTEGER)");
  db.exec("INSERT INTO cache_entries VALUES (0)");
  db.close();
  const { cpuMs, whole } = await runProgram<IdleResult>("idle", { ...input, runs: 1 });
  if (whole > 0) throw new Error("a run was a whole one although nothing was new");
  return median(cpuMs);
}

/** Changes when either file of the ledger is written. */
async function ledgerMark(stateDir: string): Promise<string> {
  const { primary, copy } = (await built("ledger/paths")).ledgerPaths(stateDir);
  return [primary, copy].map((file) => `${statSync(file).ino}:${statSync(file).mtimeMs}`).join();
}
