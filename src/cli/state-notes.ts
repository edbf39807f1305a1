import { describePending } from "../run/deletions.ts";
import { formatNote, troubleKey } from "../run/report.ts";
import type { UploadState } from "../run/state.ts";
import { plain, when } from "../shared/text.ts";
import { describeProblem, describeUnmatched, notTaken } from "./sync-format.ts";

/** Why a session fails, and when it is tried again. @param now ms since the epoch */
export function failingLine(
  { agentId, sessionId, reason, retryAt }: UploadState["failing"][number],
  now: number,
): string {
  const again = retryAt === undefined ? "" : `; tried again ${when(retryAt, now)}`;
  return `${formatNote({ agentId, sessionId, reason })}${again}`;
}

/** What else deserves a look: a line each, safe to show. @param now ms since the epoch */
export function stateNotes(state: UploadState, now: number): string[] {
  const lines = state.problems.map(describeProblem);
  const found = new Set(state.problems.map(troubleKey));
  for (const { at, ...problem } of state.lastRun?.met ?? []) {
    if (found.has(troubleKey(problem))) continue;
    lines.push(`${when(Date.parse(at), now)}: ${describeProblem(problem)}`);
  }
  if (state.deletions.length > 0) {
    const failed = state.deletions.findLast((one) => one.failed !== undefined)?.failed;
    lines.push(plain(describePending(state.deletions.length, failed?.reason)));
  }
  lines.push(...state.unmatched.map(describeUnmatched));
  if (state.rejectedLines > 0) lines.push(notTaken(state.rejectedLines));
  return lines;
}
