import { areLettersRandom, isPlaceholder, isRandom, LENIENT, wordShare } from "../randomness.ts";
import type { Assignment } from "./assignment.ts";
import type { NameKind } from "./names.ts";

export const LEAST_PASSWORD = 6;
export const LEAST_SECRET = 16;

/** What is known of a value. */
export type Use = Pick<Assignment, "name" | "gap" | "value" | "quoted" | "next">;

/** Where the value is kept, and not the value. */
const ELSEWHERE = /^(?:op|vault|secret|ref|arn|file|env):/;

/** Whether a value is one that its name says it is, as opposed to code, prose and placeholders. */
export function isCredible(kind: Exclude<NameKind, null>, use: Use): boolean {
  const { value, quoted, next } = use;
  if (isPlaceholder(value) || ELSEWHERE.test(value)) return false;
  // A call, an index, a template.
  if (!quoted && /[([{]/.test(next)) return false;
  return kind === "password" ? isPassword(use) : isSecret(kind, use);
}

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const HEX = /^[0-9a-f]+$/i;

/** A path, a URL, or a digest with its name. */
const REFERENCE =
  /^(?:~?\/[a-z._-]{2,24}\/|\.{1,2}\/|[A-Za-z]:\\|[a-z][a-z+.-]*:\/\/|(?:sha1|sha256|sha384|sha512|md5)[-:])/i;
const CONSTANT = /^[A-Z][A-Z0-9]*(?:_[A-Z0-9]+){2,}$/;
const MEMBER = /^[A-Za-z_$][\w$]*(?:[?!]?\.[A-Za-z_$][\w$]*)+[?!]?$/;

/** `NAME=value` of .env files and shells. */
const isVariable = ({ name, gap }: Use): boolean =>
  /^[A-Z][A-Z0-9_]*$/.test(name) && /^(?:=["']?| +["']?)$/.test(gap);

function isSecret(kind: "secret" | "key", use: Use): boolean {
  const { name, value, quoted } = use;
  const others = quoted ? /[^\x21-\x7e]/ : /[^A-Za-z0-9+/=_.~:%@$!*^#&?-]/;
  if (value.length < LEAST_SECRET || others.test(value)) return false;
  // What stands behind a quote may be code, where that quote ends a string.
  if (quoted && /^[)\]}?;,]/.test(value)) return false;
  if (REFERENCE.test(value) || CONSTANT.test(value)) return false;
  if (!quoted && MEMBER.test(value) && !value.split(".").some(isLongAndRandom)) return false;
  // Names of one key among many hold digests and ids as well, unless they are those of the environment.
  const isId = UUID.test(value) || HEX.test(value);
  if (kind === "key" && isId && !/^[A-Z0-9_]+$/.test(name)) return false;
  return isRandom(value, quoted || isVariable(use));
}

const isLongAndRandom = (part: string): boolean => part.length >= LEAST_SECRET && isRandom(part);

/** A word of any script as well. */
const IDENTIFIER = /^[\p{L}_$][\p{L}\p{M}\w$]*(?:[.?!]+[\p{L}_$][\p{L}\p{M}\w$]*)*[.?!]*$/u;

/** What documents, forms and types have where a password would stand. */
const NO_PASSWORD =
  /^(?:null|none|nil|undefined|true|false|string|str|text|secret|password|passwd|token|pass|pwd|test|required|optional|hidden|empty|invalid|missing|yes|no|any|object|number|boolean|unknown|process\.env|os\.environ|env\.|secrets\.|self\.|this\.|config\.)[^0-9]*$/i;

/** At least what a form asks for: a letter and a digit, and a sign or both cases. */
const isStrong = (value: string): boolean =>
  /[0-9]/.test(value) && /[A-Za-z]/.test(value) && /[^\w.-]|[a-z].*[A-Z]|[A-Z].*[a-z]/.test(value);

function isPassword(use: Use): boolean {
  const { gap, value, quoted } = use;
  // Tables and defaults are full of words and of examples.
  if (/[|?]/.test(gap)) return false;
  if (value.length < LEAST_PASSWORD || /\s/.test(value) || NO_PASSWORD.test(value)) return false;
  if (/^[[(<{].*[\])>}]$/.test(value)) return false;
  if (new Set(value).size < 4 || /^(?:~?\/|\.{1,2}\/)/.test(value)) return false;
  if (/ is:? /.test(gap)) return isStrong(value);
  const isPlain = IDENTIFIER.test(value) && !/[0-9]/.test(value);
  if (isVariable(use)) return !isPlain || value.length >= 8;
  if (isPlain) return value.length >= 8 && !CAMEL_CASE.test(value) && isDrawn(use);
  return quoted ? !isProse(value) : !isCode(value);
}

/** Whether letters alone are a password: behind an option, all that is no word. */
const isDrawn = ({ name, value }: Use): boolean =>
  name.startsWith("--") ? wordShare(value) < LENIENT.words : areLettersRandom(value, LENIENT);

/** Kebab-case and such: `reset-password`, `a/b`. */
const isProse = (value: string): boolean => /^[./\\@~]*(?:[a-z_-]+[./:])*[a-z_-]+$/i.test(value);

const CAMEL_CASE = /^(?:[A-Z]?[a-z]+[0-9]?)(?:[A-Z][a-z]+[0-9]?)+$/;

/** Members, types, numbers and names in camel case. */
const isCode = (value: string): boolean =>
  isProse(value) ||
  /^[=?!&|:+]|[A-Za-z_$)\]][?!]?\.[A-Za-z_$]|^0x[0-9A-Fa-f]+$|^[0-9]+$|Array$|^[A-Za-z_]\w*:$/.test(
    value,
  ) ||
  (/^[A-Za-z_]\w*=$/.test(value) && (value.length % 4 > 0 || wordShare(value) >= LENIENT.words)) ||
  CAMEL_CASE.test(value);

/** Whether the value of a member of JSON is one, where also a word is a password. */
export function isCredibleMember(
  kind: Exclude<NameKind, null>,
  name: string,
  value: string,
): boolean {
  if (isCredible(kind, { name, gap: ":", value, quoted: true, next: "" })) return true;
  if (kind !== "password" || value.length < LEAST_PASSWORD || /\s/.test(value)) return false;
  return !isPlaceholder(value) && !NO_PASSWORD.test(value);
}
