import type { RunReport } from "../run/report.ts";
import { bytes, count } from "../shared/text.ts";

/** One line about a run for the Gateway's log, or null when there is nothing to report. */
export function describeRun(report: RunReport): string | null {
  const { sent, outcome } = report;
  const failing = report.failed === 0 ? "" : `, ${report.failed} failing`;
  const waiting = report.left.sessions === 0 ? "" : `, ${report.left.sessions} waiting`;
  if (outcome === "refused" || outcome === "unreachable") return `${outcome}: ${report.reason}`;
  if (outcome === "paused" && sent.parts === 0) return null;
  const done = report.deletions?.done ?? 0;
  if (sent.parts + done === 0 && report.failed === 0) return null;
  const what =
    sent.parts === 0
      ? "nothing"
      : `${count(sent.sessions, "session")} (${count(sent.lines, "line")}, ${bytes(sent.wireBytes)} on the wire)`;
  const deleted = done === 0 ? "" : `, ${count(done, "deletion")} confirmed by the API`;
  return `uploaded ${what}${failing}${waiting}${deleted}`;
}
