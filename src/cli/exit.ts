import type { RunReport } from "../run/report.ts";
import type { Code } from "../shared/codes.ts";
import { asInfluxionError } from "../shared/problem.ts";

/** What `openclaw influxion sync`, `forget`, `preview` and `scan` end with; documented in the README. */
export const EXIT = {
  done: 0,
  usage: 1,
  partial: 2,
  unreachable: 3,
  found: 4,
  interrupted: 130,
} as const;

/** Something is wrong with how the command was called, or with what the user set up; trying again does not help. By code, which comes out of a run's thread as it was. */
const USAGE: ReadonlySet<Code> = new Set<Code>([
  "NO_SUCH_AGENT",
  "NO_SUCH_SESSION",
  "AMBIGUOUS_SESSION",
  "SESSION_EXCLUDED",
  "FORGET_SCOPE",
  "NOT_CONFIRMED",
  "PAUSE_INVALID",
  "PAUSE_UNWRITABLE",
  "SETUP_INCOMPLETE",
  "CONFIG_NOT_WRITTEN",
  "API_KEY_UNRESOLVED",
  "API_KEY_INVALID",
  "PROXY_INVALID",
  "TLS_INVALID",
  "REDACT_INVALID",
  "REDACT_VALUE_UNRESOLVED",
  "LEDGER_UNREADABLE",
  "LEDGER_UNWRITABLE",
  "LEDGER_NEWER",
  "UNEXPECTED",
]);

/** The exit code of one or more runs, the last of which came to its end. */
export function exitCodeOf(reports: readonly RunReport[]): number {
  // With `--all`, a session that failed in an earlier round has failed.
  const failed = reports.some((report) => report.failed > 0) ? EXIT.partial : EXIT.done;
  switch (reports.at(-1)?.outcome) {
    case "refused":
    case "unreachable":
    case "paused":
      return EXIT.unreachable;
    case "partial":
      return EXIT.partial;
    default:
      return failed;
  }
}

/** How a run that was aborted is reported. What was not foreseen is reported in one line, too: scripts wait for a document, and people for a sentence. */
export function describeFailure(error: unknown): {
  code: Code;
  message: string;
  exitCode: number;
} {
  const { code, message } = asInfluxionError(error);
  if (code === "LOCKED" || code === "PAUSED") return { code, message, exitCode: EXIT.unreachable };
  return { code, message, exitCode: USAGE.has(code) ? EXIT.usage : EXIT.partial };
}
