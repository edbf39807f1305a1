import { statSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { type Bench, databasePath, makeState, STORES, type StoreKind } from "../lib/bench.ts";
import { built } from "../lib/built.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, median } from "../lib/figures.ts";
import { NOW, type UploadInput } from "../lib/upload.ts";
import type { IdleResult } from "../programs/idle.ts";
import type { UploadResult } from "../programs/upload.ts";

/** Starts between which a database was written to. */
const WRITTEN_ROUNDS = 3;

/** What runs with nothing to do cost over one store. */
export interface IdleCase {
  readonly store: StoreKind;
  /**
   * CPU of a run, in ms: of later ones, of the first after a start, of that one where databases had been written
   * to, and where something had changed.
   */
  readonly laterMs: number;
  readonly firstMs: number;
  /** Absent where there are no databases. */
  readonly writtenMs?: number;
  readonly wholeMs: number;
  readonly requests: number;
  readonly ledgerWrites: number;
}

/** Goal 5: what a run costs when nothing is new. */
export async function idle(bench: Bench): Promise<Figure[]> {
  const counts = bench.quick ? [1000] : bench.large ? [10_000, 100_000] : [10_000];
  const figures: Figure[] = [];
  for (const count of counts) {
    const section = `A run with nothing to do over ${count} known sessions`;
    const goal = (100 * count) / 10_000;
    const startGoal = count === 100_000 ? 2000 : 250;
    for (const one of await measureIdle(bench, count)) {
      const start = `${one.store}: CPU, the first after a start`;
      figures.push(
        { section, what: `${one.store}: CPU`, value: one.laterMs, unit: "ms", goal },
        { section, what: start, value: one.firstMs, unit: "ms", goal: startGoal },
        ...writtenFigures(one).map((figure) => ({ section, ...figure, goal: startGoal })),
        { section, what: `${start}, where something had changed`, value: one.wholeMs, unit: "ms" },
        { section, what: `${one.store}: requests`, value: one.requests, unit: "", goal: 0 },
        {
          section,
          what: `${one.store}: ledger writes`,
          value: one.ledgerWrites,
          unit: "",
          goal: 0,
        },
      );
    }
  }
  return figures;
}

function writtenFigures({ store, writtenMs: value }: IdleCase): Omit<Figure, "section">[] {
  const what = `${store}: CPU, the first after a start, databases written to but nothing new`;
  return value === undefined ? [] : [{ what, value, unit: "ms" }];
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
    // What one process finds out is left to the next one.
    const { cpuMs: whole } = await runProgram<IdleResult>("idle", { ...input, runs: 1 });
    const before = await ledgerMark(stateDir);
    const { cpuMs, parts } = await runProgram<IdleResult>("idle", { ...input, runs: 6 });
    if (parts > 0) throw new Error(`${parts} parts were sent although nothing was new`);
    const [first = Number.NaN, ...later] = cpuMs;
    const writtenMs = store === "sqlite" ? await measureWritten(input) : undefined;
    const { requests } = await bench.sink.takeCounts();
    const writes = before === (await ledgerMark(stateDir)) ? 0 : 1;
    cases.push({
      store,
      laterMs: median(later),
      firstMs: first,
      ...(writtenMs === undefined ? {} : { writtenMs }),
      wholeMs: median(whole),
      requests,
      ledgerWrites: writes,
    });
  }
  return cases;
}

/** CPU of the first run of processes between which the host keeps its books, as it does when it starts, in ms. */
async function measureWritten(input: UploadInput): Promise<number> {
  const db = new DatabaseSync(databasePath(input.stateDir));
  db.exec("CREATE TABLE cache_entries (at INTEGER)");
  const firsts: number[] = [];
  for (let n = 0; n < WRITTEN_ROUNDS; n++) {
    db.exec("INSERT INTO cache_entries VALUES (0)");
    const { cpuMs, whole } = await runProgram<IdleResult>("idle", { ...input, runs: 1 });
    if (whole > 0) throw new Error("a run was a whole one although nothing was new");
    firsts.push(...cpuMs);
  }
  db.close();
  return median(firsts);
}

/** Changes when either file of the ledger is written. */
async function ledgerMark(stateDir: string): Promise<string> {
  const { primary, copy } = (await built("ledger/paths")).ledgerPaths(stateDir);
  return [primary, copy].map((file) => `${statSync(file).ino}:${statSync(file).mtimeMs}`).join();
}
