import type { SurveyedSession } from "../discovery/examine.ts";
import type { PlannedSession } from "../planning/parts.ts";
import type { ObservedLine } from "../redaction/observer.ts";
import { bytes, count, plain } from "../shared/text.ts";
import type { Transform } from "../upload/transform.ts";
import { formatLine, type LineViewOptions, lineIndexOf } from "./line-view.ts";
import { linesOf } from "./lines.ts";
import type { Output } from "./output.ts";
import type { PreviewEnd, PreviewView, PreviewViewOptions } from "./preview-view.ts";
import { redactionLines } from "./sync-format.ts";
import { painter } from "./terminal.ts";

/** Names of a session that are shown beside its id. */
const NAMED = 3;

export interface ReadablePreviewOptions
  extends PreviewViewOptions,
    Pick<LineViewOptions, "showRedacted"> {
  /** What sessions are called, by their keys in the ledger. */
  readonly names: ReadonlyMap<string, readonly string[]>;
}

/** `preview` for people. */
export class ReadablePreview implements PreviewView {
  readonly output: Output;
  readonly #options: ReadablePreviewOptions;
  readonly #view: LineViewOptions;
  /** What is redacted in lines that are still to come, by their index. */
  readonly #observed = new Map<number, ObservedLine>();
  /** Waits for the session's first line. */
  #header: string | undefined;
  #isFirst = true;
  #lines = 0;
  #sessions = 0;
  #isCut = false;
  readonly #redactions: Record<string, number> = {};
  #redacted = 0;
  #withheld = 0;

  constructor(options: ReadablePreviewOptions) {
    this.output = options.output;
    this.#options = options;
    const paint = painter(options.terminal.out);
    this.#view = { paint, showRedacted: options.showRedacted };
  }

  readonly onSession = (planned: PlannedSession, transform: Transform): void => {
    this.#observed.clear();
    this.#header = this.#describe(planned, transform);
  };

  readonly onLine = (lineIndex: number, line: ObservedLine): void => {
    this.#observed.set(lineIndex, line);
  };

  readonly onBody = async (chunks: AsyncIterable<Buffer>): Promise<boolean> => {
    for await (const line of linesOf(chunks)) {
      if (this.#lines >= this.#options.limit) this.#isCut = true;
      if (this.output.isClosed || this.#isCut) return false;
      await this.#show(line);
    }
    return true;
  };

  async end({ total, asked, trouble }: PreviewEnd): Promise<void> {
    const redacted = { redacted: this.#redacted, withheld: this.#withheld };
    const lines = [
      ...(this.#isFirst ? [] : [""]),
      this.#isCut ? this.#describeCut(total) : this.#describeAll(),
      ...redactionLines({ redactions: this.#redactions, lines: redacted }),
      ...[...(asked ?? [])].flatMap(([key, session]) => describeState(key, session)),
      ...trouble,
    ];
    await this.output.write(`${lines.join("\n")}\n`);
  }

  async #show(line: Buffer): Promise<void> {
    if (this.#header !== undefined) {
      await this.output.write(`${this.#isFirst ? "" : "\n"}${this.#header}\n`);
      this.#header = undefined;
      this.#isFirst = false;
      this.#sessions++;
    }
    const index = lineIndexOf(line);
    const observed = this.#observed.get(index);
    this.#observed.delete(index);
    this.#lines++;
    if (observed !== undefined) this.#count(observed);
    await this.output.write(formatLine(line, observed, this.#view));
  }

  #count({ secrets, omitted }: ObservedLine): void {
    if (omitted === undefined) this.#redacted++;
    else this.#withheld++;
    for (const { rule } of secrets) this.#redactions[rule] = (this.#redactions[rule] ?? 0) + 1;
  }

  #describe({ session, streams, bytes: size }: PlannedSession, { content }: Transform): string {
    const from = streams[0]?.start.lines ?? 0;
    const start = from === 0 ? "from its beginning" : `from line ${from}`;
    const called = [...new Set(this.#options.names.get(session.key))].slice(0, NAMED);
    const names = called.length === 0 ? "" : ` (${called.join(", ")})`;
    const title = this.#view.paint("bold", plain(session.key));
    return `${title}${plain(names)}\n  ${bytes(size)} of transcript, ${start}; content level ${content}`;
  }

  #describeAll(): string {
    if (this.#lines === 0) return "Nothing would be sent.";
    const lines = `${count(this.#lines, "line")} of ${count(this.#sessions, "session")}`;
    return `${lines} would be sent. Nothing was sent.`;
  }

  #describeCut({ sessions, bytes: size }: PreviewEnd["total"]): string {
    const all = `${bytes(size)} of ${count(sessions, "session")}`;
    return `These are the first ${count(this.#lines, "line")} of ${all} that would be sent; "--limit all" shows the rest. Nothing was sent.`;
  }
}

/** Why nothing of a session would be sent; what fails is reported as that. */
function describeState(key: string, session: SurveyedSession | undefined): string[] {
  const state = session?.state;
  switch (state?.kind) {
    case undefined:
      return [plain(`${key}: not there any more.`)];
    case "uploaded":
      return [plain(`${key}: all that is complete of it was sent before.`)];
    case "skipped":
      return [
        plain(
          state.filter === "forget"
            ? `${key}: forgotten; "openclaw influxion forget --undo" takes that back.`
            : `${key}: skipped by ${state.filter}.`,
        ),
      ];
    case "pending":
      return state.settling
        ? [plain(`${key}: OpenClaw is writing it; try again in a minute.`)]
        : [];
    case "failing":
      return [];
  }
}
