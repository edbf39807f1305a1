import { type HistoryEntry, readHistory } from "../run/history.ts";
import { bytes, clockTime, count, localTime, plain } from "../shared/text.ts";
import type { Setup } from "./command-input.ts";
import { EXIT } from "./exit.ts";
import { painter, type Terminal, writeJson } from "./terminal.ts";
import { hang, widthOf } from "./wrap.ts";

/** Runs that are shown unless `--limit` says otherwise. */
const SHOWN = 20;

/** As the user gave them. */
export interface HistoryFlags {
  /** Runs. */
  readonly limit?: string;
  readonly json?: boolean;
}

export interface HistoryOptions {
  readonly setup: Pick<Setup, "stateDir">;
  readonly flags: HistoryFlags;
  readonly terminal: Terminal;
}

/** `openclaw influxion history`: what the last runs did. Returns the exit code, see {@link EXIT}. */
export async function history(options: HistoryOptions): Promise<number> {
  const { setup, flags, terminal } = options;
  const { limit, json = false } = flags;
  if (limit !== undefined && !/^[1-9]\d{0,8}$/.test(limit)) {
    terminal.err.write(`--limit: found "${plain(limit)}", expected a number of runs from 1\n`);
    return EXIT.usage;
  }
  const runs = (await readHistory(setup.stateDir)).slice(-Number(limit ?? SHOWN));
  if (json) writeJson(terminal, { runs });
  else terminal.out.write(formatHistory(runs, terminal));
  return EXIT.done;
}

/** The newest last, as in a log. */
function formatHistory(runs: readonly HistoryEntry[], { out }: Pick<Terminal, "out">): string {
  if (runs.length === 0) return "No run has sent anything or met any trouble yet.\n";
  const width = widthOf(out);
  return runs.map((run) => `${formatRun(run, width, painter(out))}\n`).join("");
}

/** Cells of the longest outcome, of those who start runs, and of a time. */
const OUTCOME_WIDTH = 11;
const TRIGGER_WIDTH = 7;
const TIME_WIDTH = 16;

function formatRun(run: HistoryEntry, width: number, paint: ReturnType<typeof painter>): string {
  const at = localTime(Date.parse(run.at)).slice(0, TIME_WIDTH);
  const who = plain(startedBy(run)).padEnd(TRIGGER_WIDTH);
  const outcome = plain(run.outcome).padEnd(OUTCOME_WIDTH);
  const style = run.outcome === "done" ? "green" : run.outcome === "partial" ? "yellow" : "red";
  const start = `${at}  ${who}  ${paint(style, outcome)}  `;
  return hang(start, plain(describe(run)), width, TIME_WIDTH + 2);
}

function describe(run: HistoryEntry): string {
  const { sessions, lines, wireBytes, parts, failed, reason, times = 1 } = run;
  const sent =
    parts === 0
      ? "nothing sent"
      : `${count(sessions, "session")}, ${count(lines, "line")}, ${bytes(wireBytes)}`;
  const often = times === 1 ? "" : `, ${times} times since ${startOf(run)}`;
  const failing = failed === 0 ? [] : [`${failed} failing`];
  const why = [...failing, ...(reason === null ? [] : [reason])].join(": ");
  return `${sent}${often}${why === "" ? "" : `; ${why}`}`;
}

const startOf = ({ startedAt, at }: HistoryEntry): string =>
  clockTime(Date.parse(startedAt), Date.parse(at));

/** The Gateway on its interval, or for another reason, which is named; or a command. */
function startedBy({ trigger }: HistoryEntry): string {
  if (trigger === "manual") return "command";
  return trigger === "interval" ? "gateway" : trigger;
}
