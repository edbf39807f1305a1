import { byteClass, countBefore, isDigit, VALUE, WORD } from "../bytes.ts";
import { isPlaceholder, isRandom } from "../randomness.ts";
import { type Needle, NOTHING, type Rule, type Span, type Subject } from "../rule.ts";
import type { View } from "../view.ts";
import { kindOf, type NameKind } from "./names.ts";

const SOURCE = "the name that the value is assigned to";

export const LEAST_PASSWORD = 6;
export const LEAST_SECRET = 16;

/** Longer values are texts. */
const MOST = 512;

/** Characters of a name before what the needle is of it, and behind. */
const NAME_BEFORE = 48;
const NAME_BEHIND = 32;

/** Between name and value, in bytes, with what escapes make of it. */
const GAP = 48;

const EQUALS = 0x3d;
const COLON = 0x3a;
const GREATER = 0x3e;
const PERCENT = 0x25;
const SPACE = 0x20;
const DASH = 0x2d;
const GAP_BYTES = byteClass(" \\t\"'`*\\\\:=>,%23DA0-9vVaAlLuUeEtTnN\\[({&;|\\x80-\\xff");

/**
 * Whether something may be assigned behind a needle: a separator, and behind it a value that is long enough and, for
 * secrets, not only of small letters.
 */
function assigns(least: number): Needle["verify"] {
  return (bytes, start, from) => {
    let at = from;
    while (at < from + NAME_BEHIND && WORD[bytes[at] ?? 0] === 1) at++;
    let separated = isOption(bytes, start) && bytes[at] === SPACE && bytes[at + 1] !== DASH;
    for (const to = at + GAP; at < to; at++) {
      const byte = bytes[at] ?? 0;
      if (separated && isValue(bytes, at, least)) return true;
      if (byte === EQUALS || byte === COLON || byte === GREATER || byte >= 0x80) separated = true;
      if (byte === PERCENT) separated = true;
      if (GAP_BYTES[byte] !== 1) return false;
    }
    return false;
  };
}

/** `--password value` */
function isOption(bytes: Uint8Array, start: number): boolean {
  for (let at = start - 1; at > start - 32; at--) {
    const byte = bytes[at] ?? 0;
    if (byte === DASH && bytes[at - 1] === DASH) return true;
    if (WORD[byte] !== 1) return false;
  }
  return false;
}

function isValue(bytes: Uint8Array, from: number, least: number): boolean {
  for (let at = from; at < from + least; at++) {
    if (VALUE[bytes[at] ?? 0] !== 1) return false;
  }
  return least < LEAST_SECRET || mayBeRandom(bytes, from);
}

/** A digit, or capitals between small letters more often than at the beginnings of words. */
function mayBeRandom(bytes: Uint8Array, from: number): boolean {
  let changes = 0;
  let at = from;
  for (; at < from + 64 && VALUE[bytes[at] ?? 0] === 1; at++) {
    const byte = bytes[at] ?? 0;
    if (isDigit(byte)) return true;
    if (at > from && ((byte ^ (bytes[at - 1] ?? 0)) & 0x20) !== 0) changes++;
  }
  return changes * 3 >= at - from;
}

/** What stands between a name and its value: `=`, `":"`, `=>`, `** : **`, and `","value":"` of lists of variables. */
const SEPARATOR =
  /(?:["'`*\])]{0,4}[ \t]{0,4}(?:=>|:=|={1,3}|[:：＝])[ \t]{0,8}|["'],?\s{0,4}["']?value["']?\s{0,2}[:=]\s{0,2}|>)\*{0,2}[ \t]?(["'`]{0,3})/y;

const OPTION = /(?: {1,4}|=)(["']?)/y;

/** Control characters as well, and scripts without spaces between words. */
const VALUE_END = /[\s"'`\\,;<>(){}[\]|&\p{Cc}…\u2e80-\uffff]|$/gu;

const NAME = byteClass("A-Za-z0-9_.-");

function nameAt({ text, bytes }: View, at: number): [name: string, start: number, end: number] {
  const from = at - countBefore(bytes, at, NAME, NAME_BEFORE);
  const start = from + gluedAt(text, from, at);
  const behind = /^[A-Za-z0-9_-]*/.exec(text.slice(at, at + 24 + NAME_BEHIND))?.[0] ?? "";
  return [text.slice(start, at) + behind, start, at + behind.length];
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

function find(subject: Subject, at: number): readonly Span[] {
  const { text } = subject;
  const [name, nameStart, nameEnd] = nameAt(subject, at);
  const kind = kindOf(name);
  if (kind === null) return NOTHING;
  const separator = name.startsWith("--")
    ? (at_(OPTION, text, nameEnd) ?? at_(SEPARATOR, text, nameEnd))
    : at_(SEPARATOR, text, nameEnd);
  if (separator === null) return NOTHING;
  const { 0: gap, 1: quotes = "" } = separator;
  if (gap.startsWith(">") && text[nameStart - 1] !== "<") return NOTHING;
  const start = nameEnd + gap.length;
  const quote = quotes.at(-1);
  const end = quote === undefined ? valueEnd(text, start) : closing(text, start, quote);
  if (end === -1 || end - start > MOST || (end === text.length && !subject.ends)) return NOTHING;
  const value = text.slice(start, end);
  const use = { name, gap, quoted: quote !== undefined, next: text[end] ?? "" };
  if (!isCredible(kind, value, use)) return NOTHING;
  return [{ start, end, rule: kind === "password" ? "password" : "named-secret" }];
}

function at_(expression: RegExp, text: string, at: number): RegExpExecArray | null {
  expression.lastIndex = at;
  return expression.exec(text);
}

function valueEnd(text: string, start: number): number {
  VALUE_END.lastIndex = 0;
  return start + (VALUE_END.exec(text.slice(start, start + MOST + 1))?.index ?? MOST);
}

/** Where the quoted value ends; a backslash before the quote belongs to what the text is quoted in. */
function closing(text: string, start: number, quote: string): number {
  for (let at = start; at < text.length && at - start <= MOST; at++) {
    const character = text[at];
    if (character === quote || character === "\\") return at;
    if (character === "\n") return -1;
  }
  return text.length - start <= MOST ? text.length : -1;
}

interface Use {
  readonly name: string;
  readonly gap: string;
  readonly quoted: boolean;
  /** What follows the value. */
  readonly next: string;
}

function isCredible(kind: Exclude<NameKind, null>, value: string, use: Use): boolean {
  if (isPlaceholder(value) || /^(?:op|vault|secret|ref|arn|file|env):/.test(value)) return false;
  if (!use.quoted && /[([{]/.test(use.next)) return false;
  return kind === "password" ? isPassword(value, use) : isSecret(kind, value, use);
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const HEX = /^[0-9a-f]+$/i;

/** A path, a URL, a member of an object, or the name and value of a digest. */
const REFERENCE =
  /^(?:~?\/[a-z._-]{2,24}\/|\.{1,2}\/|[A-Za-z]:\\|[a-z][a-z+.-]*:\/\/|(?:sha1|sha256|sha384|sha512|md5)[-:])/i;
const MEMBER = /^[A-Za-z_$][\w$]*(?:[?!]?\.[A-Za-z_$][\w$]*)+[?!]?$/;

export function isSecret(
  kind: "secret" | "key",
  value: string,
  { name, quoted }: Pick<Use, "name" | "quoted">,
): boolean {
  if (value.length < LEAST_SECRET || /[^A-Za-z0-9+/=_.~:%@$!*^-]/.test(value)) return false;
  if (REFERENCE.test(value) || (!quoted && MEMBER.test(value))) return false;
  // Names of one key among many hold digests and ids as well, unless they are those of the environment.
  if (kind === "key" && (UUID.test(value) || HEX.test(value)) && !/^[A-Z0-9_]+$/.test(name))
    return false;
  return isRandom(value);
}

/** A word of any script as well. */
const IDENTIFIER = /^[\p{L}_$][\p{L}\p{M}\w$]*(?:[.?!]+[\p{L}_$][\p{L}\p{M}\w$]*)*[.?!]*$/u;

/** What documents, forms and types have where a password would stand. */
const NO_PASSWORD =
  /^(?:null|none|nil|undefined|true|false|string|str|text|secret|password|passwd|token|pass|pwd|test|required|optional|hidden|empty|invalid|missing|yes|no|any|object|number|boolean|unknown|process\.env|os\.environ|env\.|secrets\.|self\.|this\.|config\.)[^0-9]*$/i;

export function isPassword(value: string, { name, gap, quoted }: Use): boolean {
  if (value.length < LEAST_PASSWORD || /\s/.test(value) || NO_PASSWORD.test(value)) return false;
  if (new Set(value).size < 4 || /^(?:~?\/|\.{1,2}\/)/.test(value)) return false;
  const isPlain = IDENTIFIER.test(value) && !/[0-9]/.test(value);
  // .env files and shells: whatever stands there.
  if (/^[A-Z][A-Z0-9_]*$/.test(name) && gap.startsWith("=") && gap.length <= 2) {
    return !isPlain || value.length >= 8;
  }
  if (isPlain) return false;
  return quoted ? !isProse(value) : !isCode(value);
}

/** Kebab-case and such: `reset-password`, `a/b`. */
const isProse = (value: string): boolean => /^[./\\@~]*(?:[a-z_-]+[./:])*[a-z_-]+$/i.test(value);

const isCode = (value: string): boolean =>
  isProse(value) ||
  /^[=?!&|:+]|[A-Za-z_$)\]][?!]?\.[A-Za-z_$]|^\d+$|^[A-Za-z]+:$|^(?:[a-z]+[0-9]?)(?:[A-Z][a-z]+[0-9]?)+$/.test(
    value,
  );

const needle = (text: string, least: number): Needle => ({
  text,
  fold: true,
  verify: assigns(least),
});

/** Short for a password, and only where something is assigned to it: otherwise part of other words. */
const shortNeedle = (text: string): Needle => {
  const verify = assigns(LEAST_PASSWORD);
  return {
    text: `${text}[=:"'\\\\%]`,
    fold: true,
    verify: (bytes, at, end) => verify(bytes, at, end - 1),
  };
};

export const password: Rule = {
  id: "password",
  source: SOURCE,
  reach: NAME_BEHIND + GAP + MOST,
  generic: true,
  needles: [
    ...["passw", "passphrase", "passcode"].map((text) => needle(text, LEAST_PASSWORD)),
    ...["pwd", "pass"].map(shortNeedle),
  ],
  find,
};

const SECRET_WORDS = (
  "secret token credential _key -key apikey accesskey secretkey privatekey signingkey encryptionkey accountkey " +
  "masterkey sharedkey authkey licensekey subscriptionkey clientkey servicekey deploykey webhookkey"
).split(" ");

export const namedSecret: Rule = {
  id: "named-secret",
  source: SOURCE,
  reach: NAME_BEHIND + GAP + MOST,
  generic: true,
  needles: SECRET_WORDS.map((text) => needle(text, LEAST_SECRET)),
  find,
};

/** A whole string that is the value of a key in JSON. @returns the rule that it falls under */
export function ruleOfValue(key: string, value: string): Rule | null {
  const kind = kindOf(key);
  if (kind === null || value.length > MOST * 16) return null;
  const use = { name: key, gap: ":", quoted: true, next: "" };
  if (!isCredible(kind, value, use) && !isPlainPassword(kind, value)) return null;
  return kind === "password" ? password : namedSecret;
}

/** Where a key of JSON says so, also one that is a word. */
const isPlainPassword = (kind: NameKind, value: string): boolean =>
  kind === "password" &&
  value.length >= LEAST_PASSWORD &&
  !/\s/.test(value) &&
  !isPlaceholder(value) &&
  !NO_PASSWORD.test(value);
