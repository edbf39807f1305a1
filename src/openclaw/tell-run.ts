import { formatNote, isLogged, type RunReport, troubleKey } from "../run/report.ts";
import type { Problem } from "../shared/problem.ts";
import { plain } from "../shared/text.ts";
import type { GatewayContext } from "./context.ts";
import { describeRun } from "./log-line.ts";
import { fieldsOf } from "./record-run.ts";

/** Sessions of one kind that a run names in the log. */
const MAX_LOGGED = 5;

/** What is in the Gateway's log already: the same trouble is reported once for as long as each run meets it. */
export class Reported {
  #last: ReadonlySet<string> = new Set();

  fresh(problems: readonly Problem[]): readonly Problem[] {
    const before = this.#last;
    this.#last = new Set(problems.map(troubleKey));
    return problems.filter((problem) => !before.has(troubleKey(problem)));
  }
}

/** Says in the Gateway's log and health what a run did; nothing of one that found nothing to do. */
export function tellRun(
  { logger, serviceHealth, record }: GatewayContext,
  report: RunReport,
  reported: Reported,
): void {
  const { outcome } = report;
  const described = describeRun(report);
  const line = described === null ? null : plain(described);
  if (line !== null) {
    logger[outcome === "done" || outcome === "paused" ? "info" : "warn"](`influxion: ${line}`);
    record?.("influxion: run", fieldsOf(report));
  }
  for (const note of report.failures.slice(0, MAX_LOGGED)) {
    logger.warn(`influxion: failing: ${formatNote(note)}`);
  }
  const met = reported.fresh(report.problems.filter(isLogged));
  for (const { agentId = "", sessionId = "", message } of met.slice(0, MAX_LOGGED)) {
    logger.warn(`influxion: ${formatNote({ agentId, sessionId, reason: message })}`);
  }
  if (met.length > MAX_LOGGED) {
    const more = met.length - MAX_LOGGED;
    logger.warn(`influxion: and ${more} more of these; see "openclaw influxion status"`);
  }
  if (outcome === "done") serviceHealth?.clearFailure();
  else if (outcome !== "paused") serviceHealth?.reportFailure(new Error(line ?? outcome));
}
