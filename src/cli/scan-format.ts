import type { Finding, SearchReport } from "../run/find-secrets.ts";
import { formatNote } from "../run/report.ts";
import { count, escapedText, plain, plainJson, plural } from "../shared/text.ts";
import type { Output } from "./output.ts";
import { noteLines } from "./sync-format.ts";
import type { painter } from "./terminal.ts";

/** Shows what is found while it is found. */
export interface ScanView {
  readonly output: Output;
  show(finding: Finding): Promise<void>;
  end(report: SearchReport, exitCode: number): Promise<void>;
  /** The search did not come to its end. */
  abort(outcome: Readonly<Record<string, unknown>>): Promise<void>;
}

/** One JSON document, which is written as it grows. */
export class JsonScan implements ScanView {
  readonly output: Output;
  #before = '{\n  "findings": [';

  constructor(output: Output) {
    this.output = output;
  }

  async show(finding: Finding): Promise<void> {
    const { agentId, sessionId, source, lineIndex, rule, masked, sent } = finding;
    const shown = { agentId, sessionId, source, lineIndex, rule, masked, sent };
    await this.output.write(`${this.#before}\n    ${onOneLine(shown)}`);
    this.#before = ",";
  }

  async end(report: SearchReport, exitCode: number): Promise<void> {
    await this.abort({ outcome: "done", exitCode, ...report });
  }

  async abort(outcome: Readonly<Record<string, unknown>>): Promise<void> {
    const start = this.#before === "," ? "\n  ]" : `${this.#before}]`;
    // Without its brace: the document has begun.
    await this.output.write(`${start},${plainJson(outcome).slice(1)}\n`);
  }
}

const onOneLine = (value: unknown): string => escapedText(JSON.stringify(value));

/** For people. */
export class ReadableScan implements ScanView {
  readonly output: Output;
  readonly #paint: ReturnType<typeof painter>;
  #title = "";

  constructor(output: Output, paint: ReturnType<typeof painter>) {
    this.output = output;
    this.#paint = paint;
  }

  async show(finding: Finding): Promise<void> {
    const { agentId, sessionId, source, lineIndex, rule, masked, sent } = finding;
    const title = plain(`${agentId}/${sessionId}  ${source}`);
    const header =
      title === this.#title
        ? ""
        : `${this.#title === "" ? "" : "\n"}${this.#paint("bold", title)}\n`;
    this.#title = title;
    const was = sent === null ? "perhaps sent" : sent ? "sent" : "not sent";
    const shown = this.#paint(sent === false ? "yellow" : "red", was.padEnd(12));
    const row = `  line ${String(lineIndex).padEnd(6)} ${shown}  ${plain(rule).padEnd(20)} ${escapedText(masked)}`;
    await this.output.write(`${header}${row.trimEnd()}\n`);
  }

  async end(report: SearchReport): Promise<void> {
    const lines = [...(this.#title === "" ? [] : [""]), ...describe(report)];
    await this.output.write(`${lines.join("\n")}\n`);
  }

  /** Nothing: that is said elsewhere. */
  async abort(): Promise<void> {
    await this.output.write("");
  }
}

function describe(report: SearchReport): string[] {
  const { sessions, lines, excluded, unsearched, failures } = report;
  const said = [
    ...describeFound(report),
    `Searched ${count(lines, "line")} of ${count(sessions, "session")}.`,
  ];
  if (unsearched > 0) {
    said.push(
      `${count(unsearched, "line")} could not be searched: too long, or too slow to search.`,
    );
  }
  if (excluded.agents + excluded.sessions > 0) {
    const what = [
      ...(excluded.agents > 0 ? [count(excluded.agents, "agent")] : []),
      ...(excluded.sessions > 0 ? [count(excluded.sessions, "session")] : []),
    ].join(" and ");
    const were = plural(excluded.agents + excluded.sessions, "was", "were");
    said.push(`${what} excluded by filters ${were} not searched; "--all" does.`);
  }
  said.push(...failures.map((note) => `Failed: ${formatNote(note)}`), ...noteLines(report));
  return said;
}

function describeFound({ rules, sessionsWithFindings, sent, perhapsSent }: SearchReport): string[] {
  const found = Object.entries(rules).sort(([, a], [, b]) => b - a);
  const total = found.reduce((sum, [, n]) => sum + n, 0);
  if (total === 0) return ["No credentials were found."];
  const by = found.map(([rule, n]) => `${rule} ${n}`).join(", ");
  const where = `${count(total, "credential")} in ${count(sessionsWithFindings, "session")}`;
  const what = plain(`${where}: ${by}.`);
  if (sent + perhapsSent === 0) return [what, "None of them is in a line that was sent."];
  const perhaps = perhapsSent === 0 ? "" : `, ${perhapsSent} in lines that may have been`;
  return [
    what,
    `${sent} in lines that were sent${perhaps}. What was sent before redaction was there, or while it was off, should be replaced at its provider.`,
  ];
}
