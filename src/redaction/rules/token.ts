import { byteClass, countBefore, hasToken, isCutOff, isEdge } from "../bytes.ts";
import { isRandom, isToken } from "../randomness.ts";
import { type Needle, NOTHING, type Rule, type Span, type Subject } from "../rule.ts";

/** A secret that is known by its own form. */
export interface TokenForm {
  readonly id: string;
  readonly source: string;
  /** See `Needle`. */
  readonly needles: readonly string[];
  /** Source of the expression that the whole token matches. */
  readonly pattern: string;
  /** Characters that follow the needle at least. */
  readonly tail: number;
  /** A character that is among them. */
  readonly holds?: string;
  /** What of the token stands before the needle: members of a class, and how many at most. */
  readonly lead?: readonly [members: string, most: number];
  /**
   * The beginning is like nothing else: it may follow a word without a space, and is a token even where
   * it breaks off with its text.
   */
  readonly distinct?: boolean;
  /** A word that it may follow without a space. */
  readonly after?: string;
  /** The token is exactly as long as it may be: with more behind it, it is something else. */
  readonly exact?: boolean;
  /** The beginning is met in words as well: what follows must look as if a machine had drawn it. */
  readonly random?: boolean;
  /** The part of the match that is secret, when not all of it is. */
  readonly group?: string;
}

/** How many characters a pattern may take, behind the needle. */
const REACH = 320;
const LONG_REACH = 6000;

/** Of a token that breaks off, this much must be left. */
const LEAST_CUT = 10;

/** Nothing of a longer token, or of a word that it is glued to, is left over. */
const REST_OF_WORD = /[A-Za-z0-9_-]*/y;

const CUT =
  /[A-Za-z0-9_+/=%~$:-]{1,300}(?:\.[A-Za-z0-9_+/=%~$:-]{1,300}){0,3}(?=$|…|\.{2}|\s{0,4}[[(<]?(?:…|\.{3}|truncated|output truncated))/y;

/** Whether a token may be longer than most are. */
const isLong = (pattern: string): boolean =>
  [...pattern.matchAll(/,([0-9]+)\}/g)].some(([, most]) => Number(most) > REACH - 40);

export function tokenRule(form: TokenForm): Rule {
  const pattern = new RegExp(form.pattern, "dy");
  const lead = byteClass(form.lead?.[0] ?? "");
  const reach = isLong(form.pattern) ? LONG_REACH : REACH;
  return {
    id: form.id,
    source: form.source,
    reach,
    form: form.pattern,
    needles: form.needles.map((text) => ({ text, verify: verifier(form) })),
    find(subject, at) {
      const start = at - countBefore(subject.bytes, at, lead, form.lead?.[1] ?? 0);
      return spanOf(form, pattern, subject, start) ?? cutOff(form, subject, start, at) ?? NOTHING;
    },
  };
}

function verifier({ tail, holds, lead, distinct }: TokenForm): Needle["verify"] {
  const needsEdge = distinct !== true && lead === undefined;
  const held = holds?.charCodeAt(0);
  return (bytes, at, end) =>
    (!needsEdge || isEdge(bytes, at)) &&
    (hasToken(bytes, end, tail, held) || (distinct === true && isCutOff(bytes, end, LEAST_CUT)));
}

function spanOf(
  form: TokenForm,
  pattern: RegExp,
  { text, bytes }: Subject,
  start: number,
): readonly Span[] | undefined {
  const isGlued =
    form.after !== undefined && text.startsWith(form.after, start - form.after.length);
  if (form.distinct !== true && !isGlued && !isEdge(bytes, start)) return undefined;
  pattern.lastIndex = start;
  const match = pattern.exec(text);
  if (match === null || !isToken(match[0])) return undefined;
  if (form.random === true && !isRandom(match[0].slice(4), true)) return undefined;
  const end = start + match[0].length;
  const rest = restOfWord(text, end);
  if (form.exact === true && rest > 0) return undefined;
  const secret = form.group === undefined ? undefined : match.indices?.groups?.[form.group];
  const [from, to] = secret ?? [start, end + rest];
  return [{ start: from, end: to, rule: form.id }];
}

function restOfWord(text: string, from: number): number {
  REST_OF_WORD.lastIndex = from;
  return REST_OF_WORD.exec(text)?.[0].length ?? 0;
}

/** A token that ends where its text was cut off. */
function cutOff(
  { id, distinct }: TokenForm,
  { text, ends }: Subject,
  start: number,
  at: number,
): readonly Span[] | undefined {
  if (distinct !== true) return undefined;
  CUT.lastIndex = start;
  const match = CUT.exec(text)?.[0] ?? "";
  const end = start + match.length;
  if ((end === text.length && !ends) || end - at < LEAST_CUT) return undefined;
  const body = match.slice(at - start + 4);
  if (!/[0-9]/.test(body) || !/[A-Za-z]/.test(body) || !isToken(match)) return undefined;
  return [{ start, end, rule: id }];
}
