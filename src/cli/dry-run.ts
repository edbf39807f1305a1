import type { Survey } from "../discovery/survey.ts";
import type { PlannedPart } from "../ledger/records.ts";
import type { Deletion } from "../ledger/schema.ts";
import type { PlannedSession, PlannedStream } from "../planning/parts.ts";
import type { SessionNote } from "../run/report.ts";
import { dryRun } from "../run/run.ts";
import { describeReadFailure, SourceChangedError } from "../shared/problem.ts";
import { bytes, count, plain } from "../shared/text.ts";
import { EXIT } from "./exit.ts";
import { describeUnmatched, failureLines, noSessions, noteLines } from "./sync-format.ts";
import { type Terminal, writeJson } from "./terminal.ts";

/** `openclaw influxion sync --dry-run`: what would be sent now. Returns the exit code of such a run. */
export async function showPlan(
  terminal: Terminal,
  json: boolean,
  options: Parameters<typeof dryRun>[0],
): Promise<number> {
  const { plan: planned, survey, found, deletions, problems, unmatched } = await dryRun(options);
  // White space alone is passed over, not sent.
  const plan = planned.filter(({ streams }) => streams.some(({ parts }) => parts.length > 0));
  const totalBytes = plan.reduce((sum, session) => sum + session.bytes, 0);
  const failed = planned.filter(isFailed);
  const failures = failuresOf(survey, failed);
  const pending = survey.sessions.filter((session) => session.state.kind === "pending").length;
  const waiting = pending - failed.filter((one) => !plan.includes(one)).length;
  const exitCode = failures.length > 0 ? EXIT.partial : EXIT.done;
  if (json) {
    const sessions = plan.map(toJson);
    const more = { waiting, deletions, failures, problems, unmatched };
    writeJson(terminal, { dryRun: true, exitCode, sessions, totalBytes, ...more });
    return exitCode;
  }
  const lines = plan.map(describePlanned);
  if (found === 0) lines.push(noSessions(options.stateDir));
  lines.push(
    `${options.all === true ? "All runs together" : "This run"} would send ${count(plan.length, "session")}, ${bytes(totalBytes)} before compression. Nothing was sent.`,
  );
  lines.push(...deletions.map(describeDeletion));
  const later = waiting - plan.length;
  if (later > 0) lines.push(`${count(later, "more session")} would wait for the next runs.`);
  lines.push(...failureLines({ failures, failed: failures.length }, terminal));
  lines.push(...noteLines({ problems }));
  lines.push(...unmatched.map((one) => `Note: ${describeUnmatched(one)}`));
  terminal.out.write(`${lines.join("\n")}\n`);
  return exitCode;
}

/** What is rewritten just now is looked at again later. */
const isFailed = ({ error }: PlannedSession): boolean =>
  error !== undefined && !(error instanceof SourceChangedError);

/** What cannot be read, which a run would report as failed. */
function failuresOf(
  { sessions, failedAgents }: Survey,
  failed: readonly PlannedSession[],
): SessionNote[] {
  const failing = sessions.flatMap(({ agentId, sessionId, state }) =>
    state.kind === "failing" ? [{ agentId, sessionId, reason: state.reason }] : [],
  );
  const agents = failedAgents.map(({ agentId = "", message }) => ({
    agentId,
    sessionId: "",
    reason: message,
  }));
  const behindParts = failed.map(({ session: { agentId, sessionId }, error }) => {
    return { agentId, sessionId, reason: describeReadFailure(error).message };
  });
  return [...failing, ...behindParts, ...agents];
}

/** The parts that go in this run. */
function partsNow({ parts, until }: PlannedStream): readonly PlannedPart[] {
  return parts.filter(({ end }) => end <= until);
}

function describePlanned({ session, streams, bytes: size }: PlannedSession): string {
  const parts = streams.reduce((sum, stream) => sum + partsNow(stream).length, 0);
  const from = streams[0]?.start.lines ?? 0;
  const name = plain(`${session.agentId}/${session.sessionId}`);
  const start = from === 0 ? "from its beginning" : `from line ${from}`;
  return `  ${name}  ${bytes(size)} ${start}, ${count(parts, "part")}`;
}

function describeDeletion({ agentId, sessionId }: Deletion): string {
  const what =
    agentId === undefined
      ? "all of this deployment"
      : sessionId === undefined
        ? `all of agent ${agentId}`
        : `${agentId}/${sessionId}`;
  return plain(`The API would be asked to delete what it has of ${what}.`);
}

function toJson({ session, streams, bytes: size }: PlannedSession): unknown {
  const { agentId, sessionId } = session;
  return {
    agentId,
    sessionId,
    bytes: size,
    parts: streams.flatMap((planned) => {
      const { stream, store, start } = planned;
      let from = start.offset;
      return partsNow(planned).map((part) => {
        const range = {
          store: store.kind,
          source: stream.source,
          from,
          end: part.end,
          bytes: part.bytes,
        };
        from = part.end;
        return range;
      });
    }),
  };
}
