import { byteClass, countBefore } from "../bytes.ts";
import type { Subject } from "../rule.ts";
import type { View } from "../view.ts";
import { NAME_BEHIND } from "./assigned.ts";

/** A name and the value that it is given. */
export interface Assignment {
  readonly name: string;
  /** What stands between them, with the quotes in front of the value. */
  readonly gap: string;
  readonly value: string;
  readonly quoted: boolean;
  /** The character behind the value. */
  readonly next: string;
  /** Offsets of the value. */
  readonly start: number;
  readonly end: number;
}

/** Longer values are texts. */
export const MOST_VALUE = 4096;

/** Characters of a name before what the needle is of it. */
const NAME_BEFORE = 48;

/** `=`, `":"`, `=>`, `** : **`; `","value":"` of lists of variables; `>` of XML; `|` of tables; defaults. */
const SEPARATOR =
  /(?:["'`*\])]{0,4}[ \t]{0,40}(?:=>|:=|={1,3}|\|\|?|\?\?|[:：＝])[ \t]{0,40}|["']?,?\s{0,40}(?:[-+]\s{0,40})?["']?value["']?\s{0,2}[:=]\s{0,2}|>)\*{0,2}[ \t]?(["'`]{0,3})/y;

/** `name: string = "value"` */
const TYPED = /(?:: ?| )&?[A-Za-z][\w.<>]{0,22} ?= ?(["'`])/y;

/** `name value`, where the words before the name say that this sets it. */
const SPACES = / {1,40}(["']?)/y;

/** `setx NAME value`, `ENV NAME value`, `git config a.token value`, `configure set name value`; `login name password value` of .netrc. */
const SETS =
  /(?:^|[^A-Za-z]|\[[0-9;]{0,8}m)(?:(?:setx|setenv|set -[A-Za-z]{1,4}|ENV|ARG|config(?:ure)? set|config(?: --[a-z]{1,12}){0,2}) (?:\S{0,80}[/:])?|login\s{1,4}\S{1,80}\s{1,4}[-+]?\s{0,12})$/;

/** As far as those words are looked for. */
const MOST_SETS = 110;

/** `--name value` */
const OPTION = /(?: {1,4}|=)(["']?)/y;

/** `define("NAME", "value")`, where the name is the first thing in brackets. */
const ARGUMENT = /["'`], {0,2}(["'`])/y;

/** `the name is value`, `the name for the account is value` */
const VERB = /(?: (?:for|of|to) [\w .@'-]{1,48}?)? is:? {1,2}(["'`]?)/y;

/** Control characters as well, scripts without spaces between words, and an ampersand before another name. */
const VALUE_END =
  /[\s"'`\\,;<>(){}[\]|\p{Cc}…\u2e80-\uffff]|&(?=$|[&\s]|amp;|[\w.%[\]-]{1,40}=)|$/gu;

const NAME = byteClass("A-Za-z0-9_.-");

/** What a needle begins of a name, which may be two words in prose. */
const NAME_END = /^(?:api\.key|(?:api|access|secret) key)?[A-Za-z0-9_-]*/i;

/** The name that a needle is part of. */
export interface Name {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export function nameAt({ text, bytes }: View, at: number): Name {
  const from = at - countBefore(bytes, at, NAME, NAME_BEFORE);
  const start = from + gluedAt(text, from, at);
  const behind = NAME_END.exec(text.slice(at, at + 24 + NAME_BEHIND))?.[0] ?? "";
  return { text: text.slice(start, at) + behind, start, end: at + behind.length };
}

/**
 * How many characters of what stands before a needle are no part of its name: the end of an escape, a colour of a
 * terminal, or the dash of a diff.
 */
function gluedAt(text: string, from: number, at: number): number {
  const before = text[from - 1];
  const own = text.slice(from, at);
  if (before === "\\") return /^[nrtbf]/.test(own) ? 1 : 0;
  if (before === "[" || before === ";") return /^[0-9]{0,3}m/.exec(own)?.[0].length ?? 0;
  return /^-(?!-)/.test(own) ? 1 : 0;
}

/** What is assigned to a name; null when nothing is, or no end of it can be seen. */
export function assignmentTo(name: Name, subject: Subject): Assignment | null {
  const { text, ends } = subject;
  const found = gapBehind(name, text);
  if (found === null) return null;
  const { 0: gap, 1: quotes = "" } = found;
  const start = name.end + gap.length;
  const quote = quotes.at(-1);
  // Two quotes are an empty string.
  if (quotes.length === 2) return null;
  const end = quote === undefined ? valueEnd(text, start) : closingQuote(text, start, quote);
  if (end === -1 || end - start > MOST_VALUE || (end === text.length && !ends)) return null;
  const next = text[end] ?? "";
  if (!isOperator(gap, quote)) return null;
  if (gap.startsWith(">") && (text[name.start - 1] !== "<" || next !== "<")) return null;
  const value = text.slice(start, end);
  return { name: name.text, gap, value, quoted: quote !== undefined, next, start, end };
}

/** `a || "default"`, and a row of a table, which is no union of types; true where there is neither. */
function isOperator(gap: string, quote: string | undefined): boolean {
  if (/[|?]{2}/.test(gap)) return quote !== undefined;
  return !gap.includes("|") || !/["']/.test(gap);
}

function gapBehind({ text: name, start, end }: Name, text: string): RegExpExecArray | null {
  const option = name.startsWith("--") ? matchAt(OPTION, text, end) : null;
  const separator =
    option ??
    matchAt(TYPED, text, end) ??
    matchAt(SEPARATOR, text, end) ??
    matchAt(VERB, text, end);
  if (separator !== null) return separator;
  const isArgument = text[start - 2] === "(" || name.startsWith("--");
  return (isArgument ? matchAt(ARGUMENT, text, end) : null) ?? spacesBehind(name, text, start, end);
}

function spacesBehind(name: string, text: string, start: number, end: number) {
  const spaces = matchAt(SPACES, text, end);
  if (spaces === null) return null;
  const before = text.slice(Math.max(0, start - MOST_SETS), start);
  const isRow = spaces[0].length > 2 && /(?:^|\n)$/.test(before);
  // Statements of SQL.
  const isStatement = spaces[1] === "'" && (/^[A-Z]+$/.test(name) || /\bwith $/i.test(before));
  return isRow || isStatement || SETS.test(before) ? spaces : null;
}

function matchAt(expression: RegExp, text: string, at: number): RegExpExecArray | null {
  expression.lastIndex = at;
  return expression.exec(text);
}

function valueEnd(text: string, start: number): number {
  VALUE_END.lastIndex = 0;
  const length = VALUE_END.exec(text.slice(start, start + MOST_VALUE + 1))?.index;
  return start + (length ?? MOST_VALUE);
}

/** A backslash before the quote belongs to what the text is quoted in. -1 when there is none in the line. */
function closingQuote(text: string, start: number, quote: string): number {
  for (let at = start; at < text.length && at - start <= MOST_VALUE; at++) {
    const character = text[at];
    if (character === quote || character === "\\") return at;
    if (character === "\n") return -1;
  }
  return text.length - start <= MOST_VALUE ? text.length : -1;
}
