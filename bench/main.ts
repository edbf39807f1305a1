/**
 * Measures the built plugin against its goals: `npm run bench`, with `-- --quick`
 * for small sizes, `--large` for the sizes that take long, and `--only a,b` for
 * some of the sections. What it prints is also written to bench/results.json.
 */
import { writeFile } from "node:fs/promises";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { openBench, type Section } from "./lib/bench.ts";
import { type Figure, formatRounds, formatTable, UNKNOWN_OTHERS } from "./lib/figures.ts";
import { append } from "./sections/append.ts";
import { catchUp } from "./sections/catch-up.ts";
import { commands } from "./sections/commands.ts";
import { gateway } from "./sections/gateway.ts";
import { idle } from "./sections/idle.ts";
import { levels } from "./sections/levels.ts";
import { load } from "./sections/load.ts";
import { memory } from "./sections/memory.ts";
import { redaction } from "./sections/redaction.ts";
import { session } from "./sections/session.ts";
import { shippers } from "./sections/shippers.ts";
import { stages } from "./sections/stages.ts";

const SECTIONS: Readonly<Record<string, Section>> = {
  stages,
  redaction,
  session,
  shippers,
  memory,
  gateway,
  idle,
  append,
  "catch-up": catchUp,
  load,
  commands,
  levels,
};

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    large: { type: "boolean", default: false },
    only: { type: "string" },
  },
});
const names = values.only?.split(",") ?? Object.keys(SECTIONS);
const figures: Figure[] = [];
const loads = [load1()];
await using bench = await openBench({ quick: values.quick, large: values.large });
for (const name of names) {
  const section = SECTIONS[name];
  if (section === undefined) {
    throw new Error(`no section ${name}; there are ${Object.keys(SECTIONS).join(", ")}`);
  }
  bench.say(`measuring: ${name}`);
  figures.push(...(await section(bench)));
  loads.push(load1());
}
const { seesOthers } = bench;
const machine = { node: process.version, cores: availableParallelism(), loads, seesOthers };
process.stdout.write(`\n${formatTable(figures)}\n`);
process.stdout.write(seesOthers ? formatRounds(figures) : UNKNOWN_OTHERS);
process.stdout.write(`Node ${machine.node}, ${machine.cores} cores\n`);
process.stdout.write(`load average before and after each section: ${loads.join(", ")}\n`);
const results = { machine, quick: values.quick, figures };
await writeFile(new URL("results.json", import.meta.url), `${JSON.stringify(results, null, 2)}\n`);

/** The load average of the last minute. Above what the bench itself makes, the machine had other things to do. */
function load1(): number {
  return Math.round((loadavg()[0] ?? Number.NaN) * 10) / 10;
}
