import { type Bench, makeState, STORES, type StoreKind } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, MB, MIB, median } from "../lib/figures.ts";
import type { RoundCounts } from "../lib/rounds.ts";
import { forgetUploads, NOW } from "../lib/upload.ts";
import type { UploadResult } from "../programs/upload.ts";

const SECTION = "Memory of a run in a process of its own: peak RSS";

/** Sessions that are uploaded of those that are found: the default of `upload.maxFilesPerRun`. */
const MAX_SESSIONS = 50;

/** RSS growth a run may cause, and how far apart that of different loads may lie, in MiB. */
export const MEMORY_GOALS = { growth: 32, spread: 12 };

export interface MemoryCase {
  readonly name: string;
  readonly store: StoreKind;
  /** Growth over the idle process after a first small run, in MiB. */
  readonly growth: number;
  /** What that first small run leaves behind, most of it code, in MiB. */
  readonly code: number;
  readonly rounds: RoundCounts;
}

export async function memory(bench: Bench): Promise<Figure[]> {
  const cases = await measureMemory(bench);
  const growths = cases.map(({ growth }) => growth);
  const all = cases.map(({ rounds }) => rounds);
  return [
    {
      section: SECTION,
      what: "code, and what a first small run leaves",
      value: median(cases.map((c) => c.code)),
      unit: "MiB",
      rounds: all,
    },
    ...cases.map(({ name, store, growth, rounds }) => ({
      section: SECTION,
      what: `${store}: ${name}`,
      value: growth,
      unit: "MiB over idle",
      goal: MEMORY_GOALS.growth,
      rounds: [rounds],
    })),
    {
      section: SECTION,
      what: "largest difference between these",
      value: Math.max(...growths) - Math.min(...growths),
      unit: "MiB",
      goal: MEMORY_GOALS.spread,
      rounds: all,
    },
  ];
}

/** Goal 3: sessions of any size, any number of sessions, either store. */
export async function measureMemory(bench: Bench): Promise<MemoryCase[]> {
  const sizes = bench.quick ? [1, 20] : bench.large ? [1, 200, 1000] : [1, 200];
  const counts = bench.quick ? [10, 1000] : [10, 10_000];
  const loads = [
    ...sizes.map((size) => ({ name: `one session of ${size} MB`, count: 1, bytes: size * MB })),
    ...counts.map((count) => ({ name: `${count} new sessions`, count, bytes: 2000 })),
  ];
  const results: MemoryCase[] = [];
  const warm = Object.fromEntries(
    STORES.map((store) => [store, makeState(bench, "memory", store, [{ seed: 1, bytes: 20_000 }])]),
  ) as Record<StoreKind, string>;
  for (const [index, { name, count, bytes }] of loads.entries()) {
    const seeds = Array.from({ length: count }, (_, seed) => ({ seed: seed + 1, bytes }));
    for (const store of STORES) {
      const stateDir = makeState(bench, `memory${index}`, store, seeds);
      const input = {
        stateDir,
        apiUrl: bench.sink.url,
        now: NOW,
        inWorker: true,
        warmUpDir: warm[store],
        maxSessions: MAX_SESSIONS,
      };
      const what = `memory, ${store}, ${name}`;
      const { results: runs, rounds } = await bench.measure(what, bench.quick ? 1 : 3, async () => {
        await forgetUploads(stateDir);
        return await runProgram<UploadResult>("upload", input);
      });
      const growth = median(runs.map((run) => run.rssPeak - run.rssLoaded)) / MIB;
      const code = median(runs.map((run) => run.rssLoaded - run.rssIdle)) / MIB;
      results.push({ name, store, growth, code, rounds });
    }
  }
  return results;
}
