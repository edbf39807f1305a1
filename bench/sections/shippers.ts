import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Bench, makeState, sessionFile } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, MB, medianOf } from "../lib/figures.ts";
import { isOnPath, runShell, type ShellResult } from "../lib/shell.ts";
import { forgetUploads, NOW } from "../lib/upload.ts";
import type { UploadResult } from "../programs/upload.ts";

const SECTION = "Against other ways to ship the same file";

/** Makes the same envelope of every line. */
const JQ =
  '{deploymentId:"d",projectId:"p",agentId:"main",agentName:"main",sessionId:"s",sessionFile:"f",lineIndex:(input_line_number-1),capturedAt:"2026-01-03T00:00:00.000Z",payload:.}';

interface Shipper {
  readonly name: string;
  readonly needs: readonly string[];
  command(transcript: string, url: string): string;
}

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
  for (const shipper of [PIPELINE, fluentBit(bench.dir)]) {
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
      const cpuMs = await runShell(shipper.command(transcript, bench.sink.url));
      theirs[index]?.push({ cpuMs, wireBytes: (await bench.sink.takeCounts()).wireBytes });
    }
  }
  const figures = [figure("influxion", "CPU per 100 MB", per100(ours, size), "s")];
  for (const [index, { name }] of present.entries()) {
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
        1,
      ),
      figure(
        "influxion",
        "bytes on the wire",
        medianOf(pairs, (p) => p.our.wireBytes / p.other.wireBytes),
        `x ${name}`,
        1,
      ),
    );
  }
  return figures;
}

const PIPELINE: Shipper = {
  name: "jq | gzip | curl",
  needs: ["jq", "gzip", "curl"],
  command: (transcript, url) =>
    `jq -c '${JQ}' '${transcript}' | gzip -6 | curl -sS -o /dev/null -X POST -T - -H 'Content-Encoding: gzip' '${url}/pipeline'`,
};

function fluentBit(dir: string): Shipper {
  return {
    name: "Fluent Bit",
    needs: ["fluent-bit"],
    command(transcript, url) {
      const parsers = join(dir, "parsers.conf");
      const config = join(dir, "fluent-bit.conf");
      writeFileSync(parsers, "[PARSER]\n    Name json\n    Format json\n");
      writeFileSync(config, fluentBitConfig(transcript, parsers, new URL(url)));
      return `fluent-bit -q -c '${config}'`;
    },
  };
}

function fluentBitConfig(transcript: string, parsers: string, { hostname, port }: URL): string {
  return `[SERVICE]
    Flush 1
    Parsers_File ${parsers}
[INPUT]
    Name tail
    Path ${transcript}
    Parser json
    Read_from_Head true
    Exit_On_Eof true
    Buffer_Chunk_Size 1MB
    Buffer_Max_Size 16MB
    Mem_Buf_Limit 32MB
[OUTPUT]
    Name http
    Match *
    Host ${hostname}
    Port ${port}
    URI /fluent-bit
    Format json_lines
    Compress gzip
`;
}

function per100(results: readonly ShellResult[], size: number): number {
  return (medianOf(results, ({ cpuMs }) => cpuMs) / 1000) * ((100 * MB) / size);
}

function figure(who: string, what: string, value: number, unit: string, goal?: number): Figure {
  const named = `${who}: ${what}`;
  return { section: SECTION, what: named, value, unit, ...(goal === undefined ? {} : { goal }) };
}
