import type { UnmatchedPattern } from "../config/filter.ts";
import { describeOwner, type LockOwner } from "../ledger/lock.ts";
import { describeFirstContact } from "../run/first-contact.ts";
import type { RunEvents } from "../run/options.ts";
import { formatNote, type RunOutcome, type RunReport } from "../run/report.ts";
import type { Problem } from "../shared/problem.ts";
import { bytes, count, plain, plural, span } from "../shared/text.ts";
import { ProgressLine, painter, type Terminal } from "./terminal.ts";
import { wrapLines } from "./wrap.ts";

/** Sessions with the same reason that are named one by one; the others are counted. */
const NAMED = 3;

/** Shows how a run goes on: a line on a terminal, a word about trouble everywhere. */
export class Progress {
  readonly events: RunEvents;
  /** Compressed bytes handed to the network so far. */
  sent = 0;
  readonly #line: ProgressLine;

  constructor({ err }: Terminal, startedAt: number) {
    this.#line = new ProgressLine(err);
    let planned = 0;
    let done = 0;
    let shownAt = 0;
    const show = (): void => {
      const now = Date.now();
      if (now - shownAt < 100) return;
      shownAt = now;
      const rate = (this.sent * 1000) / Math.max(1, now - startedAt);
      this.#line.show(
        `Uploading: ${done} of ${count(planned, "session")}, ${bytes(this.sent)} sent, ${bytes(rate)}/s`,
      );
    };
    const say = (text: string): void => {
      this.#line.clear();
      err.write(`${wrapLines([text], err)}\n`);
    };
    this.events = {
      onWait: (owner) => say(describeWait(owner)),
      onFirstContact: (contact) => say(`Note: ${plain(describeFirstContact(contact))}.`),
      onPlan: (plan) => {
        planned += plan.length;
      },
      onBytes: (more) => {
        this.sent += more;
        show();
      },
      onSession: () => {
        done++;
        show();
      },
      onRetry: ({ agentId, sessionId }, reason, waitMs) =>
        say(
          `${plain(`${agentId}/${sessionId}`)}: ${plain(reason)}; retrying ${waitMs < 1000 ? "now" : `in ${span(waitMs)}`}`,
        ),
    };
  }

  end(): void {
    this.#line.clear();
  }
}

/** What ended a run before its time. */
const ENDINGS: Readonly<Partial<Record<RunOutcome, string>>> = {
  refused: "The API refused the upload",
  unreachable: "The API could not be reached",
  paused: "The upload ended early",
};

export function describeWait(owner: LockOwner): string {
  return `Waiting: ${plain(describeOwner(owner))}.`;
}

export interface SummaryOptions {
  readonly stateDir: string;
  readonly all: boolean;
  /** Key of the only session that was to be sent. */
  readonly session?: string | undefined;
  /** The runs of this command before it; what they reported is not reported again. */
  readonly before?: readonly RunReport[];
}

/** What a run did, in sentences. */
export function summary(
  report: RunReport,
  terminal: Terminal,
  { stateDir, all, session, before = [] }: SummaryOptions,
): string {
  const paint = painter(terminal.out);
  const { sent, outcome, reason, left } = report;
  const lines: string[] = [];
  const { [outcome]: ending } = ENDINGS;
  if (ending !== undefined) lines.push(`${paint("red", ending)}: ${plain(reason ?? "")}`);
  if (sent.parts > 0) {
    const done = outcome === "done" ? paint("green", "Uploaded") : "Uploaded";
    const source = `${bytes(sent.sourceBytes)} of transcripts`;
    lines.push(
      `${done} ${count(sent.lines, "line")} of ${count(sent.sessions, "session")}: ${source}, ${bytes(sent.wireBytes)} on the wire.`,
    );
  } else if (outcome === "done") {
    lines.push(
      report.found === 0
        ? noSessions(stateDir)
        : left.sessions === 0
          ? `Nothing to upload: ${session === undefined ? "everything" : plain(session)} is up to date.`
          : "Nothing could be uploaded now.",
    );
  }
  const found = Object.values(report.redactions).reduce((sum, one) => sum + one, 0);
  if (found > 0) {
    const rules = Object.entries(report.redactions).map(([rule, n]) => `${rule} ${n}`);
    lines.push(
      `${count(found, "credential")} ${plural(found, "was", "were")} redacted: ${rules.join(", ")}.`,
    );
  }
  const { raw, omitted, invalidUtf8, rejected, withheld } = report.lines;
  if (withheld > 0) {
    const that = plural(withheld, "line that", "lines that");
    lines.push(
      `Of ${withheld} ${that} could not be searched for credentials, only the length was sent.`,
    );
  }
  if (raw > 0) {
    const that = plural(raw, "that was not a JSON object", "that were not JSON objects");
    lines.push(`${count(raw, "line")} ${that} went as raw text.`);
  }
  if (omitted > 0) {
    const were = plural(
      omitted,
      "was too long; only its length",
      "were too long; only their lengths",
    );
    lines.push(`${count(omitted, "line")} ${were} ${plural(omitted, "was", "were")} sent.`);
  }
  if (invalidUtf8 > 0)
    lines.push(`${count(invalidUtf8, "line")} had bytes that are not UTF-8; they were replaced.`);
  if (rejected > 0) lines.push(paint("yellow", `${notTaken(rejected)}.`));
  const { deletions } = report;
  if (deletions !== undefined && deletions.done > 0) {
    lines.push(`The API deleted what it had of ${count(deletions.deleted, "session")}.`);
  }
  const troubles = (one: RunReport): string[] => [
    ...failureLines(one, terminal),
    ...noteLines(one),
  ];
  const reported = new Set(before.flatMap(troubles));
  for (const line of postponedLines(report)) lines.push(paint("yellow", line));
  for (const warning of report.warnings) lines.push(`The API says: ${plain(warning)}`);
  lines.push(...troubles(report).filter((line) => !reported.has(line)));
  if (left.sessions > 0 && ending === undefined) {
    const it = plural(left.sessions, "it", "them");
    const next = all ? "" : ` The next run goes on with ${it}; "--all" does it now.`;
    const waiting = `${count(left.sessions, "session")} ${plural(left.sessions, "is", "are")}`;
    lines.push(`${waiting} still waiting, ${bytes(left.bytes)}.${next}`);
  }
  return `${wrapLines(lines, terminal.out)}\n`;
}

/** What is redacted, by rule, and lines that are left out because they cannot be searched. */
export function redactionLines({
  redactions,
  lines,
}: {
  readonly redactions: RunReport["redactions"];
  readonly lines: Pick<RunReport["lines"], "redacted" | "withheld">;
}): string[] {
  const rules = Object.entries(redactions).sort(([, a], [, b]) => b - a);
  const found = rules.reduce((sum, [, n]) => sum + n, 0);
  const said = [];
  if (found > 0) {
    const by = rules.map(([rule, n]) => `${rule} ${n}`).join(", ");
    said.push(
      plain(`${count(found, "credential")} redacted in ${count(lines.redacted, "line")}: ${by}.`),
    );
  }
  if (lines.withheld > 0) {
    said.push(
      `${count(lines.withheld, "line")} cannot be searched for credentials; only the length is sent.`,
    );
  }
  return said;
}

export function failureLines(
  { failures, failed }: Pick<RunReport, "failures" | "failed">,
  { out }: Terminal,
): string[] {
  const paint = painter(out);
  const lines = failures.map((note) => paint("red", `Failed: ${formatNote(note)}`));
  const more = failed - failures.length;
  if (more > 0) lines.push(paint("red", `… and ${count(more, "more failure")}.`));
  return lines;
}

export function noteLines({ problems }: Pick<RunReport, "problems">): string[] {
  return problems.map((problem) => `Note: ${describeProblem(problem)}`);
}

export function describeProblem({ agentId = "", sessionId = "", message }: Problem): string {
  return formatNote({ agentId, sessionId, reason: message });
}

/** A pattern of a filter that has no effect, most often because of a typing error. */
export function describeUnmatched({ option, pattern }: UnmatchedPattern): string {
  const what = option.startsWith("filter.sessions.") ? "session" : "agent";
  return plain(`${option}: ${JSON.stringify(pattern)} matches no ${what}`);
}

export function noSessions(stateDir: string): string {
  return `No sessions were found in ${plain(stateDir)}; "openclaw influxion status --verbose" shows which agents there are.`;
}

export function notTaken(lines: number): string {
  return `${count(lines, "line")} arrived and ${plural(lines, "was", "were")} rejected by the API`;
}

/** One line for each reason, which many sessions share when the API is down. */
function postponedLines({ postponed, reason: said }: RunReport): string[] {
  const byReason = new Map<string, string[]>();
  for (const { agentId, sessionId, reason } of postponed) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), `${agentId}/${sessionId}`]);
  }
  return [...byReason].map(([reason, names]) => {
    const more = names.length - NAMED;
    const who = names.slice(0, NAMED).join(", ") + (more > 0 ? ` and ${more} more` : "");
    return plain(reason === said ? `Deferred: ${who}.` : `Deferred: ${who}: ${reason}`);
  });
}
