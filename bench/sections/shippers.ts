import { type Bench, makeState, sessionFile } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, MB, medianOf } from "../lib/figures.ts";
import { OTHER_SHIPPERS, type Shipper } from "../lib/other-shippers.ts";
import { isOnPath, runShell, type ShellResult } from "../lib/shell.ts";
import { forgetUploads, NOW } from "../lib/upload.ts";
import type { UploadResult } from "../programs/upload.ts";

const SECTION = "Against other ways to ship the same file";

/** One after the other, in the same round. */
interface Pair {
  readonly our: ShellResult;
  readonly other: ShellResult;
}

/** Goal 2: CPU and bytes on the wire, interleaved. Whoever is not installed is left out and named. */
export async function shippers(bench: Bench): Promise<Figure[]> {
  const size = bench.quick ? 10 * MB : 100 * MB;
  const wanted = bench.quick ? 1 : 3;
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
  const { results, rounds } = await bench.measure("shippers", wanted, async () => {
    const our = await upload();
    const pairs = new Map<Shipper, Pair>();
    for (const shipper of present) {
      const cpuMs = await runShell(
        shipper.command({ transcript, url: bench.sink.url, dir: bench.dir }),
      );
      const { wireBytes } = await bench.sink.takeCounts();
      pairs.set(shipper, { our, other: { cpuMs, wireBytes } });
    }
    return { our, pairs };
  });
  const ours = results.map(({ our }) => our);
  const figures = [figure("influxion", "CPU per 100 MB", per100(ours, size), "s")];
  for (const shipper of present) {
    const { name, isEqual } = shipper;
    const goal = isEqual ? 1 : undefined;
    const pairs = results.flatMap((round) => round.pairs.get(shipper) ?? []);
    const theirs = pairs.map(({ other }) => other);
    figures.push(
      figure(name, "CPU per 100 MB", per100(theirs, size), "s"),
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
  return figuresOf(rounds, figures);
}

function per100(results: readonly ShellResult[], size: number): number {
  return (medianOf(results, ({ cpuMs }) => cpuMs) / 1000) * ((100 * MB) / size);
}

function figure(
  who: string,
  what: string,
  value: number,
  unit: string,
  goal?: number,
): Omit<Figure, "rounds"> {
  const named = `${who}: ${what}`;
  return { section: SECTION, what: named, value, unit, ...(goal === undefined ? {} : { goal }) };
}
