/**
 * Fails when a run takes more memory, blocks the event loop longer or costs more with nothing to do than it may, or a
 * command more CPU: `npm run bench:check`, small sizes, for CI. It judges what it has, also on a machine that never was quiet, and says so.
 */
import { openBench } from "./lib/bench.ts";
import { medianOf, UNKNOWN_OTHERS } from "./lib/figures.ts";
import { type RoundCounts, sumOf } from "./lib/rounds.ts";
import { measureCommands } from "./sections/commands.ts";
import { measureGateway } from "./sections/gateway.ts";
import { measureIdle } from "./sections/idle.ts";
import { measureMemory } from "./sections/memory.ts";

/**
 * Memory: what is reached today and half as much again, for the noise of shared
 * machines. The event loop: its goals, judged by the main thread's CPU in one turn,
 * which other processes do not change. Runs with nothing to do: several times what is reached, and a fraction of
 * what a whole run costs. Commands: CPU, twice what is reached at most. docs/performance.md has all goals.
 */
const BOUNDS = {
  growthMiB: 75,
  spreadMiB: 60,
  turnP99Ms: 10,
  turnMaxMs: 20,
  idleMs: 30,
  idleFirstMs: 100,
  idleWrittenMs: 250,
  commandMs: { status: 120, sync: 450 },
};

/** Sessions that are known where there is nothing to do. */
const IDLE_SESSIONS = 1000;

const failures: string[] = [];
function check(
  what: string,
  value: number,
  bound: number,
  unit: string,
  rounds: readonly RoundCounts[],
): void {
  const verdict = value <= bound ? "ok" : "TOO MUCH";
  const { kept, disturbed } = sumOf(rounds);
  const doubt =
    disturbed > 0 ? `; DISTURBED: other programs ran beside ${disturbed} of ${kept} rounds` : "";
  process.stdout.write(
    `${verdict}  ${what}: ${value.toFixed(1)} ${unit}, bound ${bound}${doubt}\n`,
  );
  if (value > bound) failures.push(what);
}

await using bench = await openBench({ quick: true, large: false });
if (!bench.seesOthers) process.stdout.write(UNKNOWN_OTHERS);
const cases = await measureMemory(bench);
for (const { name, store, growth, rounds } of cases) {
  check(`memory, ${store}, ${name}`, growth, BOUNDS.growthMiB, "MiB", [rounds]);
}
const growths = cases.map(({ growth }) => growth);
const spread = Math.max(...growths) - Math.min(...growths);
const ofCases = cases.map(({ rounds }) => rounds);
check("memory, spread", spread, BOUNDS.spreadMiB, "MiB", ofCases);
for (const { name, store, results, rounds } of await measureGateway(bench)) {
  const turn = (key: "turnP99" | "turnMax") => medianOf(results, ({ run }) => run[key]);
  check(`event loop p99, ${store}, ${name}`, turn("turnP99"), BOUNDS.turnP99Ms, "ms", [rounds]);
  check(`event loop worst, ${store}, ${name}`, turn("turnMax"), BOUNDS.turnMaxMs, "ms", [rounds]);
}
for (const { store, rounds, ...one } of await measureIdle(bench, IDLE_SESSIONS)) {
  check(`CPU of an idle run, ${store}`, one.laterMs, BOUNDS.idleMs, "ms", [rounds]);
  const first = `CPU of the first one after a start, ${store}`;
  check(first, one.firstMs, BOUNDS.idleFirstMs, "ms", [rounds]);
  if (store === "sqlite") {
    check(`${first}, written to`, one.writtenMs, BOUNDS.idleWrittenMs, "ms", [rounds]);
  }
  check(
    `requests and ledger writes of idle runs, ${store}`,
    one.requests + one.ledgerWrites,
    0,
    "",
    [rounds],
  );
}
for (const { name, what, store, cpuMs, rounds } of await measureCommands(bench)) {
  check(`CPU of ${what}, ${store}`, cpuMs, BOUNDS.commandMs[name], "ms", [rounds]);
}
if (failures.length > 0) process.exitCode = 1;
