import { join } from "node:path";
import {
  type Bench,
  makeState,
  STORES,
  type StoreKind,
  sessionFile,
  writeBody,
} from "../lib/bench.ts";
import { built } from "../lib/built.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, MB, medianOf } from "../lib/figures.ts";
import { forgetUploads, NOW } from "../lib/upload.ts";
import type { CompressInput, CompressResult } from "../programs/compress.ts";
import type { UploadResult } from "../programs/upload.ts";

const SECTION = "One session, from disk to a loopback sink, against gzip alone of the same bytes";

/** Times what gzip alone takes. */
const GOALS: Readonly<Record<StoreKind, { readonly wall: number; readonly cpu: number }>> = {
  jsonl: { wall: 1, cpu: 1.1 },
  sqlite: { wall: 1.15, cpu: 1.35 },
};

/** One after the other, in the same round. */
interface Pair {
  readonly gzip: CompressResult;
  readonly run: UploadResult;
}

/** Goals 1 and 2: interleaved rounds of gzip alone and of a run in each store. */
export async function session(bench: Bench): Promise<Figure[]> {
  const bytes = bench.quick ? 20 * MB : 200 * MB;
  const wanted = bench.quick ? 3 : 5;
  const options = { seed: 1, bytes };
  const { level, memLevel } = (await built("upload/compressor")).GZIP;
  const states = STORES.map((store) => ({ store, dir: makeState(bench, "one", store, [options]) }));
  const body = join(bench.dir, "one.ndjson");
  await writeBody(sessionFile(states[0]?.dir ?? "", 1), 1, body);

  const upload = async (stateDir: string): Promise<UploadResult> => {
    await forgetUploads(stateDir);
    return runProgram<UploadResult>("upload", { stateDir, apiUrl: bench.sink.url, now: NOW });
  };
  // The sink counts lines the first time only.
  for (const { dir } of states) await upload(dir);
  const { results, rounds } = await bench.measure("session", wanted, async () => {
    const input: CompressInput = { file: body, format: "gzip", level, memLevel };
    const gzip = await runProgram<CompressResult>("compress", input);
    const pairs = new Map<StoreKind, Pair>();
    for (const { store, dir } of states) pairs.set(store, { gzip, run: await upload(dir) });
    return { gzip, pairs };
  });
  const gzips = results.map(({ gzip }) => gzip);
  const figures = [
    figure("gzip alone: CPU per MB of transcript", medianOf(gzips, cpu) / (bytes / MB), "ms"),
  ];
  for (const store of STORES) {
    const pairs = results.flatMap((round) => round.pairs.get(store) ?? []);
    const runs = pairs.map(({ run }) => run);
    const source = runs[0]?.sourceBytes ?? 0;
    figures.push(
      figure(
        `${store}: wall`,
        medianOf(pairs, (p) => p.run.wallMs / p.gzip.wallMs),
        "x gzip",
        GOALS[store].wall,
      ),
      figure(
        `${store}: CPU`,
        medianOf(pairs, (p) => p.run.cpuMs / p.gzip.cpuMs),
        "x gzip",
        GOALS[store].cpu,
      ),
      figure(`${store}: CPU per MB of transcript`, medianOf(runs, cpu) / (source / MB), "ms"),
      figure(
        `${store}: main thread's CPU per MB`,
        medianOf(runs, (run) => run.mainMs) / (source / MB),
        "ms",
      ),
      figure(`${store}: speed`, source / MB / (medianOf(runs, (run) => run.wallMs) / 1000), "MB/s"),
      figure(
        `${store}: bytes on the wire`,
        medianOf(pairs, (p) => p.run.wireBytes / p.gzip.outBytes),
        "x gzip",
      ),
    );
  }
  return figuresOf(rounds, figures);
}

function cpu({ cpuMs }: { cpuMs: number }): number {
  return cpuMs;
}

function figure(what: string, value: number, unit: string, goal?: number): Omit<Figure, "rounds"> {
  return { section: SECTION, what, value, unit, ...(goal === undefined ? {} : { goal }) };
}
