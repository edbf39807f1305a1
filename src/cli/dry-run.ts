import type { ConfigWarning } from "../config/config.ts";
import type { Called } from "../discovery/called.ts";
import type { PlannedPart } from "../ledger/records.ts";
import type { Deletion } from "../ledger/schema.ts";
import type { PlannedSession, PlannedStream } from "../planning/parts.ts";
import { type DryRun, type DryRunOptions, dryRun } from "../run/dry-run.ts";
import { knownSessions } from "../run/known-sessions.ts";
import { SourceChangedError } from "../shared/problem.ts";
import { bytes, count, plain } from "../shared/text.ts";
import { EXIT } from "./exit.ts";
import { formatRow, type SessionRow } from "./session-row.ts";
import {
  describeUnmatched,
  failureLines,
  noSessions,
  noteLines,
  redactionLines,
} from "./sync-format.ts";
import { ProgressLine, type Terminal, writeJson } from "./terminal.ts";
import { wrapLines } from "./wrap.ts";

/** `openclaw influxion sync --dry-run`: what would be sent now. Returns the exit code of such a run. */
export async function showPlan(
  terminal: Terminal,
  json: boolean,
  options: DryRunOptions,
  configWarnings: readonly ConfigWarning[],
): Promise<number> {
  const names = await namesOf(options);
  const found = await readWithProgress(terminal, options);
  // White space alone is passed over, not sent.
  const plan = found.plan.filter(({ streams }) => streams.some(({ parts }) => parts.length > 0));
  const listed = plan.map((planned) => listedOf(planned, found, names));
  const sums = {
    totalBytes: plan.reduce((sum, session) => sum + session.bytes, 0),
    waiting: waitingOf(found, plan),
  };
  const exitCode = found.report.failed > 0 ? EXIT.partial : EXIT.done;
  if (json)
    writeJson(terminal, {
      dryRun: true,
      exitCode,
      ...toJson(found, listed),
      ...sums,
      configWarnings,
    });
  else terminal.out.write(format(terminal, options, found, { listed, ...sums }));
  return exitCode;
}

/** What sessions are called: what is sent is decided without it. */
async function namesOf(options: DryRunOptions): Promise<ReadonlyMap<string, Called>> {
  const known = await knownSessions(options);
  return new Map(known.map(({ key, called }) => [key, called]));
}

/** A session that would be sent. */
interface Listed {
  readonly planned: PlannedSession;
  readonly called: Called;
  readonly messages: number;
}

const NOT_CALLED: Called = { sessionKey: null, label: null, title: null };

function listedOf(
  planned: PlannedSession,
  { messages }: DryRun,
  names: ReadonlyMap<string, Called>,
): Listed {
  const { key } = planned.session;
  return { planned, called: names.get(key) ?? NOT_CALLED, messages: messages.get(key) ?? 0 };
}

interface Sums {
  readonly listed: readonly Listed[];
  readonly totalBytes: number;
  readonly waiting: number;
}

function format(
  terminal: Terminal,
  { all = false, stateDir }: DryRunOptions,
  { report, deletions, problems, unmatched }: DryRun,
  { listed, totalBytes, waiting }: Sums,
): string {
  const later = waiting - listed.length;
  const { failures, failed } = report;
  const lines = [
    ...(report.found === 0 ? [noSessions(stateDir)] : []),
    `${all ? "All runs together" : "This run"} would send ${count(listed.length, "session")}, ${bytes(totalBytes)} before compression. Nothing was sent.`,
    ...redactionLines(report),
    ...deletions.map(describeDeletion),
    ...(later > 0 ? [`${count(later, "more session")} would wait for the next runs.`] : []),
    ...failureLines({ failures, failed }, terminal),
    ...noteLines({ problems }),
    ...unmatched.map((one) => `Note: ${describeUnmatched(one)}`),
  ];
  const rows = listed.map((one) => formatRow(rowOf(one), terminal.out));
  const space = rows.length > 0 && terminal.out.isTTY === true ? "\n" : "";
  return `${rows.join("")}${space}${wrapLines(lines, terminal.out)}\n`;
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

function rowOf({ planned, called, messages }: Listed): SessionRow {
  const { session, streams, bytes: size } = planned;
  const parts = streams.reduce((sum, stream) => sum + partsNow(stream).length, 0);
  const from = streams[0]?.start.lines ?? 0;
  const start = from === 0 ? "new, from its beginning" : `goes on from line ${from}`;
  const reason = `${start}: ${count(messages, "message")} in ${count(parts, "part")}`;
  return { key: session.key, called, bytes: size, changedAt: session.changedAt, reason };
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

function toJson({ report, deletions, problems, unmatched }: DryRun, listed: readonly Listed[]) {
  const { failures, redactions } = report;
  const sessions = listed.map(sessionJson);
  return { sessions, redactions, deletions, failures, problems, unmatched };
}

function sessionJson({ planned, called, messages }: Listed): unknown {
  const { session, streams, bytes: size } = planned;
  const { agentId, sessionId, changedAt } = session;
  return {
    agentId,
    sessionId,
    ...called,
    changedAt: new Date(changedAt).toISOString(),
    messages,
    bytes: size,
    parts: streams.flatMap(rangesOf),
  };
}

function rangesOf(planned: PlannedStream): unknown[] {
  const { stream, store, start } = planned;
  let from = start.offset;
  return partsNow(planned).map(({ end, bytes: size }) => {
    const range = { store: store.kind, source: stream.source, from, end, bytes: size };
    from = end;
    return range;
  });
}
