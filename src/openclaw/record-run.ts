import type { RunTrigger } from "../run/options.ts";
import type { RunReport } from "../run/report.ts";
import type { InfluxionError } from "../shared/problem.ts";

/** Writes one structured line to the host's log file, which has a line of JSON for each. */
export type Recorder = (message: string, fields: Readonly<Record<string, unknown>>) => void;

/** What stands in the log file of each run that did something. */
export function fieldsOf({ sent, left, failed, ...report }: RunReport): Record<string, unknown> {
  return {
    outcome: report.outcome,
    trigger: report.trigger,
    sessions: sent.sessions,
    lines: sent.lines,
    bytes: sent.sourceBytes,
    wireBytes: sent.wireBytes,
    failed,
    waiting: left.sessions,
    waitingBytes: left.bytes,
    durationMs: Date.parse(report.endedAt) - Date.parse(report.startedAt),
  };
}

/** The same of a run that did not come to its end. */
export function fieldsOfFailure(
  { code }: InfluxionError,
  trigger: RunTrigger,
  durationMs: number,
): Record<string, unknown> {
  return { outcome: "error", trigger, code, durationMs };
}
