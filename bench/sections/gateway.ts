import type { SessionOptions } from "../corpus.ts";
import { type Bench, makeState, STORES, type StoreKind } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, MB, MIB, medianOf } from "../lib/figures.ts";
import type { Measured } from "../lib/rounds.ts";
import { SLOW_TEXTS } from "../lib/slow-texts.ts";
import { forgetUploads, NOW } from "../lib/upload.ts";
import type { GatewayInput, GatewayResult } from "../programs/gateway.ts";

/** In ms, and how much slower the host's `fs.stat` may become. */
export const LOOP_GOALS = { p99: 10, max: 20, stat: 2 };

export interface GatewayCase extends Measured<GatewayResult> {
  readonly name: string;
  readonly store: StoreKind;
}

export async function gateway(bench: Bench): Promise<Figure[]> {
  const cases = await measureGateway(bench);
  return cases.flatMap(({ name, store, results, rounds }) => {
    const section = `The Gateway during a run: ${store}, ${name}`;
    const added = (key: "delayP99" | "delayMax" | "turnP99" | "turnMax") =>
      Math.max(
        0,
        medianOf(results, ({ run, idle }) => run[key] - idle[key]),
      );
    return figuresOf(rounds, [
      {
        section,
        what: "event-loop delay, p99, added",
        value: added("delayP99"),
        unit: "ms",
        goal: LOOP_GOALS.p99,
      },
      {
        section,
        what: "event-loop delay, worst, added",
        value: added("delayMax"),
        unit: "ms",
        goal: LOOP_GOALS.max,
      },
      { section, what: "main thread's CPU in one turn, p99", value: added("turnP99"), unit: "ms" },
      {
        section,
        what: "main thread's CPU in one turn, worst",
        value: added("turnMax"),
        unit: "ms",
      },
      {
        section,
        what: "fs.stat, p50",
        value: medianOf(results, ({ run, idle }) => run.statP50 / idle.statP50),
        unit: "x idle",
        goal: LOOP_GOALS.stat,
      },
    ]);
  });
}

/** Goal 4: the first run of a process, ordinary sessions, a line that is too long to be sent, and lines just below that, some of them made to be slow to search for credentials. */
export async function measureGateway(bench: Bench): Promise<GatewayCase[]> {
  const bytes = bench.quick ? 10 * MB : 50 * MB;
  const long = bench.quick ? 2 : 5;
  const loads: readonly {
    name: string;
    sessions: readonly SessionOptions[];
    /** Without a run before, as the service does it: the code is loaded while it is measured. */
    cold?: boolean;
  }[] = [
    { name: "the first run", sessions: [{ seed: 10, bytes: MB }], cold: true },
    {
      name: "two sessions at once",
      sessions: [
        { seed: 11, bytes },
        { seed: 12, bytes },
      ],
    },
    {
      name: "a line of 64 MiB",
      sessions: [{ seed: 13, bytes: 5 * MB, longLines: [{ bytes: 64 * MIB }] }],
    },
    {
      name: "lines of 7 MiB",
      sessions: [{ seed: 14, bytes: 5 * MB, longLines: Array(long).fill({ bytes: 7 * MIB }) }],
    },
    {
      name: "lines of 7 MiB that are slow to search",
      sessions: [
        {
          seed: 15,
          bytes: 5 * MB,
          longLines: SLOW_TEXTS.map((repeat) => ({ bytes: 7 * MIB, repeat })),
        },
      ],
    },
  ];
  const cases: GatewayCase[] = [];
  for (const store of STORES) {
    const warmUpDir = makeState(bench, "gateway", store, [{ seed: 1, bytes: 20_000 }]);
    for (const [index, { name, sessions, cold }] of loads.entries()) {
      const stateDir = makeState(bench, `gateway${index}`, store, sessions);
      const input: GatewayInput = {
        stateDir,
        apiUrl: bench.sink.url,
        now: NOW,
        inWorker: true,
        idleMs: bench.quick ? 500 : 2000,
        ...(cold === true ? {} : { warmUpDir }),
      };
      const what = `gateway, ${store}, ${name}`;
      const measured = await bench.measure(what, bench.quick ? 2 : 3, async () => {
        await forgetUploads(stateDir);
        return await runProgram<GatewayResult>("gateway", input);
      });
      cases.push({ name, store, ...measured });
    }
  }
  return cases;
}
