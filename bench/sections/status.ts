import { type Bench, makeState, STORES } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, medianOf } from "../lib/figures.ts";
import { NOW } from "../lib/upload.ts";
import type { StatusInput, StatusResult } from "../programs/status.ts";
import type { UploadResult } from "../programs/upload.ts";

const SESSIONS = 100;

/** Goal 7: what `openclaw influxion status` adds to the host's own start of a command, in a fresh process. */
export async function status(bench: Bench): Promise<Figure[]> {
  const section = `openclaw influxion status over ${SESSIONS} sessions, without the host's own start`;
  const figures: Figure[] = [];
  for (const store of STORES) {
    const seeds = Array.from({ length: SESSIONS }, (_, n) => ({ seed: n + 1, bytes: 10_000 }));
    const stateDir = makeState(bench, "status", store, seeds);
    const apiUrl = bench.sink.url;
    await runProgram<UploadResult>("upload", { stateDir, apiUrl, now: NOW });
    const input: StatusInput = { stateDir, apiUrl };
    const { results: runs, rounds } = await bench.measure(`status, ${store}`, 9, () =>
      runProgram<StatusResult>("status", input),
    );
    // Otherwise something else was measured.
    if (!runs.every(({ text }) => text.includes(`${SESSIONS} sessions found`)))
      throw new Error(runs[0]?.text);
    const wallMs = medianOf(runs, (run) => run.wallMs);
    const cpuMs = medianOf(runs, (run) => run.cpuMs);
    const figuresOfStore = [
      { section, what: `${store}: time`, value: wallMs, unit: "ms", goal: 150 },
      { section, what: `${store}: CPU`, value: cpuMs, unit: "ms" },
    ];
    figures.push(...figuresOf(rounds, figuresOfStore));
  }
  return figures;
}
