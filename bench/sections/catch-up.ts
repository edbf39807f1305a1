import { type Bench, makeState, STORES } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, MB, medianOf } from "../lib/figures.ts";
import { forgetUploads, NOW } from "../lib/upload.ts";
import type { UploadResult } from "../programs/upload.ts";

/** Makes sessions of about 20 kB: each ends with the turn that reaches this size, and some turns are long. */
const SESSION_BYTES = 4000;

/** `sync --all` after a week offline: many small sessions, each a part, against one session with as many bytes. */
export async function catchUp(bench: Bench): Promise<Figure[]> {
  const count = bench.quick ? 400 : 8000;
  const wanted = bench.quick ? 1 : 3;
  const section = `${count} waiting sessions, sync --all, against one of as many bytes`;
  const figures: Figure[] = [];
  for (const store of STORES) {
    const seeds = Array.from({ length: count }, (_, seed) => seed + 1);
    const sessions = seeds.map((seed) => ({ seed, bytes: SESSION_BYTES }));
    const many = makeState(bench, `waiting${count}`, store, sessions);
    // Also so that the sink knows the lines of each part afterwards.
    const { sourceBytes } = await catchUpOf(bench, many);
    const one = makeState(bench, `whole${count}`, store, [{ seed: 7, bytes: sourceBytes }]);
    await catchUpOf(bench, one);
    const { results: pairs, rounds } = await bench.measure(
      `catch-up, ${store}`,
      wanted,
      async () => ({
        many: await catchUpOf(bench, many),
        one: await catchUpOf(bench, one),
      }),
    );
    const ratio = (what: "wallMs" | "cpuMs") =>
      medianOf(pairs, (pair) => perByte(pair.many, what) / perByte(pair.one, what));
    const figuresOfStore = [
      { section, what: `${store}: wall`, value: ratio("wallMs"), unit: "x one", goal: 1.5 },
      { section, what: `${store}: CPU`, value: ratio("cpuMs"), unit: "x one", goal: 1.5 },
      {
        section,
        what: `${store}: CPU of a session of ${Math.round(sourceBytes / count / 1000)} kB`,
        value: medianOf(pairs, (pair) => pair.many.cpuMs) / count,
        unit: "ms",
      },
      {
        section,
        what: `${store}: MB of transcript a second`,
        value: medianOf(pairs, (pair) => sourceBytes / MB / (pair.many.wallMs / 1000)),
        unit: "",
      },
    ];
    figures.push(...figuresOf(rounds, figuresOfStore));
  }
  return figures;
}

const perByte = (result: UploadResult, what: "wallMs" | "cpuMs"): number =>
  result[what] / result.sourceBytes;

async function catchUpOf({ sink }: Bench, stateDir: string): Promise<UploadResult> {
  await forgetUploads(stateDir);
  const limits = { maxSessions: 50, maxBytes: 50 * 1024 ** 2 };
  const input = { stateDir, apiUrl: sink.url, now: NOW, all: true, ...limits };
  return await runProgram<UploadResult>("upload", input);
}
