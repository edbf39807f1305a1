import { appendFileSync, utimesSync } from "node:fs";
import { sessionEntries, TOUCHED } from "../corpus.ts";
import { type Bench, makeState, sessionFile } from "../lib/bench.ts";
import { type Figure, figuresOf, MB, medianOf } from "../lib/figures.ts";
import { NOW, prepareRun } from "../lib/upload.ts";

/** Goal 6: what is sent follows what was written, not what was there before. */
export async function append(bench: Bench): Promise<Figure[]> {
  const [size, appends] = bench.quick ? [5 * MB, 50] : [50 * MB, 1000];
  const section = `${appends} appends of 1 KB to a session of ${size / MB} MB, a run after each`;
  const stateDir = makeState(bench, "append", "jsonl", [{ seed: 5, bytes: size }]);
  const file = sessionFile(stateDir, 5);
  const run = await prepareRun({ stateDir, apiUrl: bench.sink.url, now: NOW });
  await run();
  await bench.sink.takeCounts();

  const pieces = sessionEntries({ seed: 6, bytes: Number.POSITIVE_INFINITY });
  let touched = TOUCHED.getTime();
  const { results, rounds } = await bench.measure("append", 1, async () => {
    let written = 0;
    let sent = 0;
    const cpu = process.cpuUsage();
    for (let count = 0; count < appends; count++) {
      let text = "";
      while (text.length < 1000) text += `${pieces.next().value}\n`;
      appendFileSync(file, text);
      // At rest since long ago, but later than before.
      touched += 1000;
      utimesSync(file, TOUCHED, new Date(touched));
      written += Buffer.byteLength(text);
      sent += (await run()).sent.sourceBytes;
    }
    const { user, system } = process.cpuUsage(cpu);
    const { wireBytes } = await bench.sink.takeCounts();
    return {
      sent: sent / written,
      wire: wireBytes / written,
      cpuMs: (user + system) / 1000 / appends,
    };
  });
  const of = (key: "sent" | "wire" | "cpuMs"): number => medianOf(results, (round) => round[key]);
  return figuresOf(rounds, [
    { section, what: "source bytes sent", value: of("sent"), unit: "x written", goal: 1.05 },
    { section, what: "bytes on the wire", value: of("wire"), unit: "x written" },
    { section, what: "CPU of a run", value: of("cpuMs"), unit: "ms" },
  ]);
}
