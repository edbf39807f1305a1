import { join } from "node:path";
import { type Bench, makeState, sessionFile, writeBody } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, MB, medianOf } from "../lib/figures.ts";
import type { CompressInput, CompressResult } from "../programs/compress.ts";

type Setting = Omit<CompressInput, "file">;

const SETTINGS: readonly Setting[] = [
  ...[1, 4, 5, 6, 9].flatMap((level) =>
    [8, 9].map((memLevel) => ({ format: "gzip" as const, level, memLevel })),
  ),
  { format: "zstd", level: 1 },
  { format: "zstd", level: 3 },
  // What the plugin uses.
  { format: "zstd", level: 3, windowLog: 20 },
  { format: "zstd", level: 3, windowLog: 18 },
  { format: "zstd", level: 5, windowLog: 20 },
];

/** Uplinks, in Mbit/s. */
const UPLINKS = [5, 20, 100];

/** Goal 8: seconds until 100 MB of bodies are compressed and through an uplink, whichever is slower. */
export async function levels(bench: Bench): Promise<Figure[]> {
  const size = bench.quick ? 10 * MB : 100 * MB;
  const state = makeState(bench, "levels", "jsonl", [{ seed: 7, bytes: size }]);
  const file = join(bench.dir, "levels.ndjson");
  await writeBody(sessionFile(state, 7), 7, file);
  const { results, rounds } = await bench.measure("levels", 3, async () => {
    const ofSettings = new Map<Setting, CompressResult>();
    for (const setting of SETTINGS) {
      ofSettings.set(setting, await runProgram<CompressResult>("compress", { file, ...setting }));
    }
    return ofSettings;
  });
  const figures = SETTINGS.flatMap((setting) => {
    const runs = results.flatMap((round) => round.get(setting) ?? []);
    const per100 = 100 / ((runs[0]?.inBytes ?? 0) / MB);
    const cpuSeconds = (medianOf(runs, (run) => run.cpuMs) / 1000) * per100;
    const megabytes = (medianOf(runs, (run) => run.outBytes) / MB) * per100;
    return [
      figure(setting, "CPU", cpuSeconds, "s"),
      figure(setting, "size", megabytes, "MB"),
      ...UPLINKS.map((mbit) =>
        figure(setting, `at ${mbit} Mbit/s`, Math.max(cpuSeconds, (megabytes * 8) / mbit), "s"),
      ),
    ];
  });
  return figuresOf(rounds, figures);
}

function figure(
  { format, level, memLevel, windowLog }: Setting,
  what: string,
  value: number,
  unit: string,
): Omit<Figure, "rounds"> {
  const memory =
    (memLevel === undefined ? "" : ` memLevel ${memLevel}`) +
    (windowLog === undefined ? "" : ` windowLog ${windowLog}`);
  const section = "Compression of 100 MB of bodies: CPU, size, and time through an uplink";
  return { section, what: `${format} ${level}${memory}: ${what}`, value, unit };
}
