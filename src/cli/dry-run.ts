import type { ConfigWarning } from "../config/config.ts";
import type { PlannedPart } from "../ledger/records.ts";
import type { Deletion } from "../ledger/schema.ts";
import type { PlannedSession, PlannedStream } from "../planning/parts.ts";
import { type DryRun, type DryRunOptions, dryRun } from "../run/dry-run.ts";
import { SourceChangedError } from "../shared/problem.ts";
import { bytes, count, plain } from "../shared/text.ts";
import { EXIT } from "./exit.ts";
import {
  describeUnmatched,
  failureLines,
  noSessions,
  noteLines,
  redactionLines,
} from "./sync-format.ts";
import { ProgressLine, type Terminal, writeJson } from "./terminal.ts";

/** `openclaw influxion sync --dry-run`: what would be sent now. Returns the exit code of such a run. */
export async function showPlan(
  terminal: Terminal,
  json: boolean,
  options: DryRunOptions,
  configWarnings: readonly ConfigWarning[],
): Promise<number> {
  const { all = false, stateDir } = options;
  const found = await readWithProgress(terminal, options);
  const { report, deletions, problems, unmatched } = found;
  // White space alone is passed over, not sent.
  const plan = found.plan.filter(({ streams }) => streams.some(({ parts }) => parts.length > 0));
  const totalBytes = plan.reduce((sum, session) => sum + session.bytes, 0);
  const waiting = waitingOf(found, plan);
  const { failures, failed, redactions } = report;
  const exitCode = failed > 0 ? EXIT.partial : EXIT.done;
  if (json) {
    const sessions = plan.map(toJson);
    const trouble = { failures, problems, unmatched, configWarnings };
    const sums = { totalBytes, redactions, waiting, deletions };
    writeJson(terminal, { dryRun: true, exitCode, sessions, ...sums, ...trouble });
    return exitCode;
  }
  const lines = plan.map(describePlanned);
  if (report.found === 0) lines.push(noSessions(stateDir));
  lines.push(
    `${all ? "All runs together" : "This run"} would send ${count(plan.length, "session")}, ${bytes(totalBytes)} before compression. Nothing was sent.`,
    ...redactionLines(report),
  );
  lines.push(...deletions.map(describeDeletion));
  const later = waiting - plan.length;
  if (later > 0) lines.push(`${count(later, "more session")} would wait for the next runs.`);
  lines.push(...failureLines({ failures, failed }, terminal));
  lines.push(...noteLines({ problems }));
  lines.push(...unmatched.map((one) => `Note: ${describeUnmatched(one)}`));
  terminal.out.write(`${lines.join("\n")}\n`);
  return exitCode;
}

/** It takes as long as reading all that would go does. */
async function readWithProgress({ err }: Terminal, options: DryRunOptions): Promise<DryRun> {
  const line = new ProgressLine(err);
  let sessions = 0;
  let read = 0;
  const onSession = (planned: PlannedSession): void => {
    line.show(`Reading: ${count(sessions++, "session")}, ${bytes(read)}`);
    read += planned.bytes;
  };
  try {
    return await dryRun({ ...options, reader: { onSession } });
  } finally {
    line.clear();
  }
}

/** Sessions that have something to send, now or in the next runs. */
function waitingOf({ plan: planned, survey }: DryRun, plan: readonly PlannedSession[]): number {
  const pending = survey.sessions.filter(({ state }) => state.kind === "pending").length;
  return pending - planned.filter((one) => isFailed(one) && !plan.includes(one)).length;
}

/** What is rewritten just now is looked at again later. */
const isFailed = ({ error }: PlannedSession): boolean =>
  error !== undefined && !(error instanceof SourceChangedError);

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
