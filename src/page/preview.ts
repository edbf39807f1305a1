import { type LineViewOptions, lineIndexOf, viewLine } from "../cli/line-view.ts";
import { linesOf } from "../cli/lines.ts";
import type { Config } from "../config/config.ts";
import type { SurveyedSession } from "../discovery/examine.ts";
import type { KnownSession } from "../discovery/select.ts";
import type { PlannedSession } from "../planning/parts.ts";
import type { ObservedLine } from "../redaction/observer.ts";
import { dryRun } from "../run/dry-run.ts";
import { knownSessions } from "../run/known-sessions.ts";
import type { PlanReader } from "../run/read-plan.ts";
import { formatNote } from "../run/report.ts";
import { bytes, count, escapedText, plural } from "../shared/text.ts";
import type { HostLayout } from "../stores/layout.ts";
import type { Transform } from "../upload/transform.ts";
import { type Content, escapeHtml, Html, html, name } from "./html.ts";
import type { PageSecrets } from "./request.ts";

/** Lines that are shown; what is in them is folded besides. */
const SHOWN = 50;

/** Names of a session that are shown beside its key. */
const NAMED = 3;

export interface PreviewOptions {
  readonly stateDir: string;
  readonly layout: HostLayout | undefined;
  readonly config: Config;
  /** What must never leave, and so is looked for. */
  readonly secrets: PageSecrets;
  /** `<agentId>/<sessionId>` */
  readonly session: string;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/**
 * The beginning of what would leave of one session, word for word but for long texts, which are folded.
 * What is redacted shows as what stands in its place, never as itself, masked or not.
 *
 * @throws {InfluxionError} what a dry run throws
 */
export async function previewPage(options: PreviewOptions): Promise<Html> {
  const { session, secrets } = options;
  const chosen = { ...options, ...secrets, agentId: undefined };
  const known = (await knownSessions(chosen)).find(({ key }) => key === session);
  if (known === undefined) {
    return section(session, html`<p>No such session, or filters exclude its agent.</p>`);
  }
  const reader = new FirstLines(describeRedaction(options.config.redact));
  const look = { ...chosen, all: true, toTheEnd: true, retryBackedOff: true, reader };
  const { survey, report } = await dryRun({
    ...look,
    trigger: "command",
    only: new Set([known.key]),
  });
  const state = survey.sessions.find(({ key }) => key === known.key);
  const failures = report.failures.map((note) => html`<p class="bad">${formatNote(note)}</p>`);
  return section(known.key, [namesOf(known), failures, reader.result(state)]);
}

function section(key: string, content: Content): Html {
  return html`<section aria-labelledby="preview"><h2 id="preview">What would be sent of ${name(key)}</h2>
${content}
<p><a href="sessions">All sessions</a></p></section>`;
}

function namesOf({ names }: KnownSession): Content {
  const shown = [...new Set(names)].slice(0, NAMED);
  if (shown.length === 0) return null;
  return html`<p class="faint">${shown.map((one, index) => html`${index > 0 && " · "}${name(one)}`)}</p>`;
}

/** Keeps the first lines of a body, and has no more read than that. */
class FirstLines implements PlanReader {
  readonly #lines: Html[] = [];
  /** What is redacted in lines that are still to come, by their index. */
  readonly #observed = new Map<number, ObservedLine>();
  readonly #redaction: string;
  #head: Html | undefined;
  #isCut = false;

  /** @param redaction what is redacted, in words */
  constructor(redaction: string) {
    this.#redaction = redaction;
  }

  readonly onSession = (planned: PlannedSession, transform: Transform): void => {
    this.#observed.clear();
    this.#head ??= headOf(planned, transform, this.#redaction);
  };

  readonly onLine = (lineIndex: number, line: ObservedLine): void => {
    this.#observed.set(lineIndex, line);
  };

  readonly onBody = async (chunks: AsyncIterable<Buffer>): Promise<boolean> => {
    for await (const line of linesOf(chunks)) {
      this.#isCut = this.#lines.length >= SHOWN;
      if (this.#isCut) return false;
      this.#lines.push(this.#show(line));
    }
    return true;
  };

  result(session: SurveyedSession | undefined): Content {
    if (this.#lines.length === 0) return html`<p>${whyNothing(session)}</p>`;
    const shown = count(this.#lines.length, "line");
    const all = this.#isCut
      ? `The first ${shown}; "openclaw influxion preview" shows all.`
      : `All ${shown}.`;
    return html`${this.#head}<p class="faint">${all} Nothing was sent.</p><ol class="lines">${this.#lines}</ol>`;
  }

  #show(line: Buffer): Html {
    const index = lineIndexOf(line);
    const { kind, text } = viewLine(line, this.#observed.get(index), VIEW);
    this.#observed.delete(index);
    return html`<li><span class="faint">${index} ${kind}</span><br>${new Html(text)}</li>`;
  }
}

const escaped = (text: string): string => escapeHtml(escapedText(text));

/** What {@link viewLine} makes with this is HTML: what is redacted is marked, what is folded is faint. */
const VIEW: LineViewOptions = {
  paint: (style, text) =>
    style === "dim" ? `<i class="faint">${escaped(text)}</i>` : `<mark>${escaped(text)}</mark>`,
  harmless: escaped,
  showRedacted: false,
};

function headOf(
  { streams, bytes: size }: PlannedSession,
  { content }: Transform,
  redaction: string,
): Html {
  const from = streams[0]?.start.lines ?? 0;
  const start = from === 0 ? "from its beginning" : `from line ${from}; what is before was sent`;
  return html`<dl><dt>To send</dt><dd>${bytes(size)} of transcript, ${start}</dd>
<dt>Content</dt><dd>${content}</dd>
<dt>Redacted</dt><dd>${redaction}</dd></dl>`;
}

function describeRedaction({ secrets, disable, patterns, values }: Config["redact"]): string {
  const off = disable.length === 0 ? "" : ` without ${disable.join(", ")}`;
  return [
    ...(secrets ? [`what the built-in rules find${off}`] : []),
    ...(patterns.length > 0
      ? [
          `what ${count(patterns.length, "pattern")} of yours ${plural(patterns.length, "finds", "find")}`,
        ]
      : []),
    ...(values.length > 0 ? [count(values.length, "value")] : []),
    "the API key",
  ].join(", ");
}

/** Why nothing of a session would be sent. */
function whyNothing(session: SurveyedSession | undefined): string {
  const state = session?.state;
  switch (state?.kind) {
    case undefined:
      return "It is not there any more.";
    case "uploaded":
      return "All that is complete of it was sent before.";
    case "skipped":
      return state.filter === "forget"
        ? 'Nothing: it is forgotten. "openclaw influxion forget --undo" takes that back.'
        : `Nothing: it is excluded by ${state.filter}.`;
    case "pending":
      return "OpenClaw is writing it; look again in a minute.";
    case "failing":
      return `Nothing: ${state.reason}`;
  }
}
