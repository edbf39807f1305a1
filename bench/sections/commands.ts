import { type Bench, makeState, STORES, type StoreKind } from "../lib/bench.ts";
import { runProgram } from "../lib/child.ts";
import { type Figure, figuresOf, medianOf } from "../lib/figures.ts";
import type { RoundCounts } from "../lib/rounds.ts";
import { NOW } from "../lib/upload.ts";
import type { CommandInput, CommandResult } from "../programs/command.ts";
import type { UploadResult } from "../programs/upload.ts";

const SESSIONS = 100;

interface MeasuredCommand {
  readonly name: CommandInput["command"];
  readonly what: string;
  /** Wall time, in ms. */
  readonly goal: number;
  /** What it prints. Otherwise something else was measured. */
  readonly prints: string;
}

const COMMANDS: readonly MeasuredCommand[] = [
  { name: "status", what: "status", goal: 100, prints: `${SESSIONS} sessions found` },
  { name: "sync", what: "sync with nothing to do", goal: 250, prints: "Nothing to upload" },
];

/** What a command took over one store, in ms. */
export interface CommandCase extends MeasuredCommand {
  readonly store: StoreKind;
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly rounds: RoundCounts;
}

/** Goal 7: what commands add to the host's own start of a command, in a fresh process, where no Gateway runs. */
export async function commands(bench: Bench): Promise<Figure[]> {
  const cases = await measureCommands(bench);
  return cases.flatMap(({ what, goal, store, wallMs, cpuMs, rounds }) => {
    const section = `openclaw influxion ${what}, over ${SESSIONS} sessions, without the host's start`;
    return figuresOf(rounds, [
      { section, what: `${store}: time`, value: wallMs, unit: "ms", goal },
      { section, what: `${store}: CPU`, value: cpuMs, unit: "ms" },
    ]);
  });
}

export async function measureCommands(bench: Bench): Promise<CommandCase[]> {
  const cases: CommandCase[] = [];
  for (const command of COMMANDS) {
    for (const store of STORES) cases.push(await measureCommand(bench, command, store));
  }
  return cases;
}

async function measureCommand(
  bench: Bench,
  command: MeasuredCommand,
  store: StoreKind,
): Promise<CommandCase> {
  const { name, prints } = command;
  const seeds = Array.from({ length: SESSIONS }, (_, n) => ({ seed: n + 1, bytes: 10_000 }));
  const stateDir = makeState(bench, `command-${name}`, store, seeds);
  const apiUrl = bench.sink.url;
  // Two runs, as the Gateway has done them: the first one after an upload notes that there is nothing more.
  for (let n = 0; n < 2; n++)
    await runProgram<UploadResult>("upload", { stateDir, apiUrl, now: NOW });
  const input: CommandInput = { command: name, stateDir, apiUrl };
  const runOnce = async (): Promise<CommandResult> => {
    const result = await runProgram<CommandResult>("command", input);
    if (!result.text.includes(prints)) throw new Error(`${name} printed: ${result.text}`);
    return result;
  };
  // The first one compiles.
  await runOnce();
  const wanted = bench.quick ? 5 : 9;
  const { results, rounds } = await bench.measure(`${name}, ${store}`, wanted, runOnce);
  const wallMs = medianOf(results, (result) => result.wallMs);
  const cpuMs = medianOf(results, (result) => result.cpuMs);
  return { ...command, store, wallMs, cpuMs, rounds };
}
