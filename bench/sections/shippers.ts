import { type Bench, makeState, sessionFile } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, MB, medianOf } from "../lib/figures.ts";
import { OTHER_SHIPPERS, type Shipper } from "../lib/other-shippers.ts";
import { isOnPath, runShell, type ShellResult } from "../lib/shell.ts";
import { forgetUploads, NOW } from "../lib/upload.ts";
import type { UploadResult } from "../programs/upload.ts";

const SECTION = "Against other ways to ship the same file";

/** Goal 2: CPU and bytes on the wire, interleaved. Whoever is not installed is left out and named. */
export async function shippers(bench: Bench): Promise<Figure[]> {
  const size = bench.quick ? 10 * MB : 100 * MB;
  const rounds = bench.quick ? 1 : 3;
  const stateDir = makeState(bench, "shippers", "jsonl", [{ seed: 3, bytes: size }]);
  const transcript = sessionFile(stateDir, 3);
  const upload = async (): Promise<ShellResult> => {
    await forgetUploads(stateDir);
    const input = { stateDir, apiUrl: bench.sink.url, now: NOW };
    const { cpuMs } = await runProgram<UploadResult>("upload", input);
    return { cpuMs, wireBytes: (await bench.sink.takeCounts()).wireBytes };
  };
  const present: Shipper[] = [];
  for (const shipper of OTHER_SHIPPERS) {
    if (shipper.needs.every(isOnPath)) present.push(shipper);
    else
      bench.say(`not compared with ${shipper.name}: ${shipper.needs.join(", ")} must be on PATH`);
  }
  await upload();
  const ours: ShellResult[] = [];
  const theirs = present.map((): ShellResult[] => []);
  for (let round = 0; round < rounds; round++) {
    ours.push(await upload());
    for (const [index, shipper] of present.entries()) {
      const cpuMs = await runShell(
        shipper.command({ transcript, url: bench.sink.url, dir: bench.dir }),
      );
      theirs[index]?.push({ cpuMs, wireBytes: (await bench.sink.takeCounts()).wireBytes });
    }
  }
  const figures = [figure("influxion", "CPU per 100 MB", per100(ours, size), "s")];
  for (const [index, { name, isEqual }] of present.entries()) {
    const goal = isEqual ? 1 : undefined;
    const pairs = (theirs[index] ?? []).map((other, round) => ({
      other,
      our: ours[round] as ShellResult,
    }));
    figures.push(
      figure(name, "CPU per 100 MB", per100(theirs[index] ?? [], size), "s"),
      figure(
        "influxion",
        "CPU",
        medianOf(pairs, (p) => p.our.cpuMs / p.other.cpuMs),
        `x ${name}`,
        goal,
      ),
      figure(
        "influxion",
        "bytes on the wire",
        medianOf(pairs, (p) => p.our.wireBytes / p.other.wireBytes),
        `x ${name}`,
        goal,
      ),
    );
  }
  return figures;
}

function per100(results: readonly ShellResult[], size: number): number {
  return (medianOf(results, ({ cpuMs }) => cpuMs) / 1000) * ((100 * MB) / size);
}

function figure(who: string, what: string, value: number, unit: string, goal?: number): Figure {
  const named = `${who}: ${what}`;
  return { section: SECTION, what: named, value, unit, ...(goal === undefined ? {} : { goal }) };
}
