import type { FoundSecret, ObservedLine } from "../redaction/observer.ts";
import { asObject, isText, parseJson } from "../shared/json.ts";
import { escapedText } from "../shared/text.ts";
import type { painter } from "./terminal.ts";

/** Characters of a text in a line, and of the line itself, that are shown; the others are counted. */
const TEXT_LENGTH = 200;
const LINE_LENGTH = 4000;

/** Rules that are named of what is redacted in a piece that is not shown. */
const NAMED = 3;

const PAYLOAD = ',"payload":';

/** Stands in a text for what is not of the line's own; no JSON text has it in it. */
const INSERT = "\u0001";

interface Insert {
  readonly style: Parameters<ReturnType<typeof painter>>[0];
  readonly text: string;
  /** Of what is redacted. */
  readonly rule?: string;
}

export interface LineViewOptions {
  readonly paint: ReturnType<typeof painter>;
  /** Makes the line's own text harmless where it is shown. @default for a terminal */
  readonly harmless?: (text: string) => string;
  /** Show what is left of secrets when they are masked. */
  readonly showRedacted: boolean;
}

/** A line of a body in pieces. */
export interface LineView {
  readonly index: number;
  /** What it is, such as `message user`. */
  readonly kind: string;
  /** Its payload with long texts folded, as the options make it. */
  readonly text: string;
}

/**
 * A line of a body as people read it: its index, what it is, and its payload with long texts folded.
 *
 * @param line as it would be sent, without its end
 * @param observed what is redacted in it
 */
export function formatLine(
  line: Buffer,
  observed: ObservedLine | undefined,
  options: LineViewOptions,
): string {
  const { index, kind, text } = viewLine(line, observed, options);
  return `${String(index).padStart(5)}  ${kind.padEnd(18)}  ${text}\n`;
}

/** As {@link formatLine}. */
export function viewLine(
  line: Buffer,
  observed: ObservedLine | undefined,
  { paint, showRedacted, harmless = escapedText }: LineViewOptions,
): LineView {
  const at = line.indexOf(PAYLOAD) + PAYLOAD.length;
  const payload = line.subarray(at, line.length - "}".length);
  const secrets = observed?.secrets ?? [];
  const folder = new Folder(secrets.map((secret) => insertOf(secret, showRedacted)));
  const folded = folder.foldLine(withInserts(payload, secrets));
  const text = folder.render(folded, paint, harmless);
  return { index: lineIndexOf(line), kind: describe(payload), text };
}

/** The envelope's `lineIndex`, which is its last member but two. */
export function lineIndexOf(line: Buffer): number {
  const head = line.toString("utf8", 0, line.indexOf(PAYLOAD));
  return Number(/"lineIndex":(\d+),"capturedAt":"[^"]*"$/.exec(head)?.[1]);
}

/** `message user` */
function describe(payload: Buffer): string {
  const { type, message, raw, omitted } = asObject(parseJson(payload.toString()));
  const { role } = asObject(message);
  const words = [type, role].filter(isText);
  if (words.length > 0) return escapedText(words.join(" ")).slice(0, 40);
  return raw !== undefined ? "raw" : omitted !== undefined ? "omitted" : "untyped";
}

function insertOf({ rule, masked, marker }: FoundSecret, showRedacted: boolean): Insert {
  const text = showRedacted ? `${marker.slice(0, -1)} ${escapedText(masked)}]` : marker;
  return { style: ["bold", "yellow"], text, rule };
}

function withInserts(payload: Buffer, secrets: readonly FoundSecret[]): string {
  let text = "";
  let copied = 0;
  for (const { at, marker } of secrets) {
    text += payload.toString("utf8", copied, at) + INSERT;
    copied = at + marker.length;
  }
  return text + payload.toString("utf8", copied);
}

/** Shortens a text, and keeps track of what is inserted in it. */
class Folder {
  #inserts: readonly Insert[];

  /** @param inserts one for each {@link INSERT} in the text */
  constructor(inserts: readonly Insert[]) {
    this.#inserts = inserts;
  }

  /** @param text a text of JSON */
  foldLine(text: string): string {
    const pass = new FoldPass(this.#inserts);
    let folded = "";
    let copied = 0;
    for (let open = text.indexOf('"'); open !== -1; open = text.indexOf('"', copied + 1)) {
      const close = closingQuote(text, open);
      folded += pass.fold(text.slice(copied, open + 1), LINE_LENGTH);
      folded += pass.fold(text.slice(open + 1, close), TEXT_LENGTH);
      copied = close;
    }
    folded += pass.fold(text.slice(copied), LINE_LENGTH);
    const whole = new FoldPass(pass.shown);
    const result = whole.fold(folded, LINE_LENGTH);
    this.#inserts = whole.shown;
    return result;
  }

  /** With its inserts, and harmless where it is shown. */
  render(
    text: string,
    paint: LineViewOptions["paint"],
    harmless: (text: string) => string,
  ): string {
    const [first = "", ...others] = text.split(INSERT);
    let shown = harmless(first);
    for (const [index, other] of others.entries()) {
      const { style, text: insert } = this.#inserts[index] ?? { style: "dim", text: "" };
      shown += paint(style, insert) + harmless(other);
    }
    return shown;
  }
}

/** Goes through the pieces of a text in turn. */
class FoldPass {
  readonly shown: Insert[] = [];
  readonly #inserts: readonly Insert[];
  #next = 0;

  constructor(inserts: readonly Insert[]) {
    this.#inserts = inserts;
  }

  /** The beginning of a piece, and a note of what more there is. */
  fold(text: string, length: number): string {
    const head = text.length > length ? beginning(text, length) : text;
    for (const insert of this.#of(head)) this.shown.push(insert);
    if (head === text) return text;
    const rest = text.slice(head.length);
    this.shown.push(noteOf(rest.length, this.#of(rest)));
    return head + INSERT;
  }

  #of(text: string): readonly Insert[] {
    const start = this.#next;
    for (let at = text.indexOf(INSERT); at !== -1; at = text.indexOf(INSERT, at + 1)) this.#next++;
    return this.#inserts.slice(start, this.#next);
  }
}

/** Of the string of JSON that begins at `open`. */
function closingQuote(text: string, open: number): number {
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '"') return at;
    if (text[at] === "\\") at++;
  }
  return text.length;
}

/** Not in the middle of an escape or a character. */
function beginning(text: string, length: number): string {
  return text
    .slice(0, length)
    .replace(/\\(?:u[0-9A-Fa-f]{0,3})?$/, "")
    .replace(/[\ud800-\udbff]$/, "");
}

function noteOf(length: number, hidden: readonly Insert[]): Insert {
  const rules = [...new Set(hidden.flatMap(({ rule }) => rule ?? []))];
  const redacted = hidden.filter(({ rule }) => rule !== undefined).length;
  const named = rules.slice(0, NAMED).join(", ") + (rules.length > NAMED ? ", …" : "");
  const also = redacted === 0 ? "" : `, ${redacted} redacted: ${named}`;
  const text = `… (${length.toLocaleString("en-US")} more${also})`;
  return { style: redacted === 0 ? "dim" : "yellow", text };
}
