/**
 * Fails when a run takes more memory, blocks the event loop longer or costs more with nothing to do than it may:
 * `npm run bench:check`, small sizes, for CI.
 */
import { openBench } from "./lib/bench.ts";
import { medianOf } from "./lib/figures.ts";
import { measureGateway } from "./sections/gateway.ts";
import { measureIdle } from "./sections/idle.ts";
import { measureMemory } from "./sections/memory.ts";

/**
 * Memory: what is reached today and half as much again, for the noise of shared
 * machines. The event loop: its goals, judged by the main thread's CPU in one turn,
 * which other processes do not change. Runs with nothing to do: several times what is reached, and a fraction of
 * what a whole run costs. docs/performance.md has all goals.
 */
const BOUNDS = {
  growthMiB: 75,
  spreadMiB: 60,
  turnP99Ms: 10,
  turnMaxMs: 20,
  idleMs: 60,
  idleFirstMs: 150,
  idleWrittenMs: 300,
};

/** Sessions that are known where there is nothing to do. */
const IDLE_SESSIONS = 1000;

const failures: string[] = [];
function check(what: string, value: number, bound: number, unit: string): void {
  const verdict = value <= bound ? "ok" : "TOO MUCH";
  process.stdout.write(`${verdict}  ${what}: ${value.toFixed(1)} ${unit}, bound ${bound}\n`);
  if (value > bound) failures.push(what);
}

await using bench = await openBench({ quick: true, large: false });
const cases = await measureMemory(bench);
for (const { name, store, growth } of cases) {
  check(`memory, ${store}, ${name}`, growth, BOUNDS.growthMiB, "MiB");
}
const growths = cases.map(({ growth }) => growth);
check("memory, spread", Math.max(...growths) - Math.min(...growths), BOUNDS.spreadMiB, "MiB");
for (const { name, store, rounds } of await measureGateway(bench)) {
  const turn = (key: "turnP99" | "turnMax") => medianOf(rounds, ({ run }) => run[key]);
  check(`event loop p99, ${store}, ${name}`, turn("turnP99"), BOUNDS.turnP99Ms, "ms");
  check(`event loop worst, ${store}, ${name}`, turn("turnMax"), BOUNDS.turnMaxMs, "ms");
}
for (const { store, ...one } of await measureIdle(bench, IDLE_SESSIONS)) {
  check(`CPU of an idle run, ${store}`, one.laterMs, BOUNDS.idleMs, "ms");
  check(`CPU of the first one after a start, ${store}`, one.firstMs, BOUNDS.idleFirstMs, "ms");
  const written = `CPU of the first one after a start, written to, ${store}`;
  if (one.writtenMs !== undefined) check(written, one.writtenMs, BOUNDS.idleWrittenMs, "ms");
  check(
    `requests and ledger writes of idle runs, ${store}`,
    one.requests + one.ledgerWrites,
    0,
    "",
  );
}
if (failures.length > 0) process.exitCode = 1;
