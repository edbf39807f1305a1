import { describeOwner } from "../ledger/lock.ts";
import type { RunReport } from "../report.ts";
import type { RunEvents } from "../run.ts";
import { bytes, count, noteWords, plain, span } from "../text.ts";
import { ProgressLine, painter, type Terminal } from "./terminal.ts";

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
      err.write(`${text}\n`);
    };
    this.events = {
      onWait: (owner) => say(`Waiting: ${plain(describeOwner(owner))}.`),
      onPlan: (plan) => {
        planned = plan.length;
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
          `${plain(`${agentId}/${sessionId}`)}: ${plain(reason)}; trying again in ${span(waitMs)}`,
        ),
    };
  }

  end(): void {
    this.#line.clear();
  }
}

/**
 * What a run did, in sentences.
 * @param before the runs of this command before it; what they told is not told again
 */
export function summary(
  report: RunReport,
  terminal: Terminal,
  all: boolean,
  before: readonly RunReport[] = [],
): string {
  const paint = painter(terminal.out);
  const { sent, outcome, reason, left } = report;
  const lines: string[] = [];
  if (outcome === "refused" || outcome === "unreachable") {
    const what =
      outcome === "refused" ? "The API refused the upload" : "The API could not be reached";
    lines.push(`${paint("red", what)}: ${plain(reason ?? "")}`);
  }
  if (sent.parts > 0) {
    const done = outcome === "done" ? paint("green", "Uploaded") : "Uploaded";
    const source = `${bytes(sent.sourceBytes)} of transcripts`;
    lines.push(
      `${done} ${count(sent.lines, "line")} of ${count(sent.sessions, "session")}: ${source}, ${bytes(sent.wireBytes)} on the wire.`,
    );
  } else if (outcome === "done") {
    lines.push(
      left.sessions === 0
        ? "Nothing to upload: everything is up to date."
        : "Nothing could be uploaded now.",
    );
  }
  const { raw, omitted, invalidUtf8, rejected } = report.lines;
  if (raw > 0) lines.push(`${count(raw, "line")} that was not a JSON object went as raw text.`);
  if (omitted > 0) lines.push(`${count(omitted, "line")} was too long; only its length was sent.`);
  if (invalidUtf8 > 0)
    lines.push(`${count(invalidUtf8, "line")} had bytes that are not UTF-8; they were replaced.`);
  if (rejected > 0)
    lines.push(paint("yellow", `${count(rejected, "line")} arrived and was not taken by the API.`));
  const troubles = (one: RunReport): string[] => [
    ...failureLines(one, terminal),
    ...noteLines(one),
  ];
  const told = new Set(before.flatMap(troubles));
  for (const note of report.postponed) lines.push(paint("yellow", `Later: ${noteWords(note)}`));
  for (const warning of report.warnings) lines.push(`The API says: ${plain(warning)}`);
  lines.push(...troubles(report).filter((line) => !told.has(line)));
  if (left.sessions > 0 && outcome !== "refused" && outcome !== "unreachable") {
    const next = all ? "" : ' The next run goes on with them; "--all" does it now.';
    lines.push(`${count(left.sessions, "session")} still waiting, ${bytes(left.bytes)}.${next}`);
  }
  return `${lines.join("\n")}\n`;
}

export function failureLines(
  { failures, failed }: Pick<RunReport, "failures" | "failed">,
  { out }: Terminal,
): string[] {
  const paint = painter(out);
  const lines = failures.map((note) => paint("red", `Failed: ${noteWords(note)}`));
  const more = failed - failures.length;
  if (more > 0) lines.push(paint("red", `… and ${count(more, "more failure")}.`));
  return lines;
}

export function noteLines({ problems }: Pick<RunReport, "problems">): string[] {
  return problems.map(({ message }) => `Note: ${plain(message)}`);
}
