import { parseInterval } from "../config/interval.ts";
import { describeOwner, lockOwner } from "../ledger/lock.ts";
import { describePause, pause, readPause, resume } from "../run/pause.ts";
import type { Clock } from "../shared/clock.ts";
import { InfluxionError } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import { describeFailure, EXIT } from "./exit.ts";
import { type Terminal, writeJson } from "./terminal.ts";
import { wrapLines } from "./wrap.ts";

/** As the user gave them. */
export interface PauseFlags {
  /** An interval such as `2h`. */
  readonly for?: string;
  /** A day or an instant; without an offset from UTC on the clock of this machine. */
  readonly until?: string;
  readonly json?: boolean;
}

export interface PauseOptions<Flags> extends Clock {
  readonly stateDir: string;
  readonly flags: Flags;
  readonly terminal: Terminal;
}

const DATE = /^\d{4}-\d{2}-\d{2}$/;
const INSTANT = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2})?(?:Z|[+-]\d{2}:\d{2})?$/;

/** `openclaw influxion pause`. Returns the exit code, see {@link EXIT}. */
export async function pauseUploads(options: PauseOptions<PauseFlags>): Promise<number> {
  const { stateDir, flags, terminal, now } = options;
  return await reporting(options, async () => {
    await pause(stateDir, now(), untilOf(flags, now()));
    const paused = await readPause(stateDir, now());
    const owner = await lockOwner(stateDir);
    if (flags.json === true) return writeJson(terminal, { paused, uploading: owner });
    const said = [
      paused === null ? "uploads are not paused" : describePause(stateDir, paused, now()),
      ...(owner === null ? [] : [`${describeOwner(owner)}; it stops after the part it is sending`]),
    ].map((line) => `${sentence(plain(line))}.`);
    const lines = [...said, '"openclaw influxion resume" ends that.'];
    terminal.out.write(`${wrapLines(lines, terminal.out)}\n`);
  });
}

/** `openclaw influxion resume`. Returns the exit code, see {@link EXIT}. */
export async function resumeUploads(
  options: PauseOptions<Pick<PauseFlags, "json">>,
): Promise<number> {
  const { stateDir, flags, terminal, now } = options;
  return await reporting(options, async () => {
    const wasPaused = (await readPause(stateDir, now())) !== null;
    await resume(stateDir);
    if (flags.json === true) return writeJson(terminal, { paused: null, wasPaused });
    terminal.out.write(
      wasPaused
        ? "Uploads go on; a running Gateway notices within half a minute.\n"
        : "Uploads were not paused.\n",
    );
  });
}

/** When the pause ends, in ms since the epoch, or null. @throws {InfluxionError} `PAUSE_INVALID` */
function untilOf({ for: span, until }: PauseFlags, now: number): number | null {
  if (span !== undefined && until !== undefined) {
    throw invalid('"--for" and "--until" exclude each other; give one of them');
  }
  if (span !== undefined) {
    const ms = parseInterval(span);
    if (ms === null || ms === 0) throw invalid('"--for" takes a time such as 30m, 2h or 1d');
    return now + ms;
  }
  if (until === undefined) return null;
  const at = parseUntil(until.trim());
  if (at === null) {
    throw invalid('"--until" takes a day such as 2026-12-01, or a time such as 2026-12-01T18:00');
  }
  if (at <= now) throw invalid('"--until" takes a time to come, and this one is over');
  return at;
}

function parseUntil(text: string): number | null {
  // By itself, a day would begin at midnight in UTC.
  const instant = DATE.test(text) ? `${text}T00:00` : text.replace(" ", "T");
  if (!INSTANT.test(instant)) return null;
  const at = Date.parse(instant);
  return Number.isNaN(at) ? null : at;
}

function invalid(message: string): InfluxionError {
  return new InfluxionError("PAUSE_INVALID", message);
}

async function reporting(
  { flags, terminal }: PauseOptions<Pick<PauseFlags, "json">>,
  work: () => Promise<void>,
): Promise<number> {
  try {
    await work();
    return EXIT.done;
  } catch (error) {
    const { exitCode, ...failure } = describeFailure(error);
    if (flags.json === true) writeJson(terminal, { error: failure, exitCode });
    const line = `${sentence(plain(failure.message))}.`;
    terminal.err.write(`${wrapLines([line], terminal.err)}\n`);
    return exitCode;
  }
}

/** With a capital at its beginning. */
function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
