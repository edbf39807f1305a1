/** What people and documentation write where a secret would stand. */
const PLACEHOLDER = new RegExp(
  [
    "x{5}|\\*{3}|\\.{3}|…|^[x*.#_-]+$|abcdefgh|0{10}|(?:1234567890){2}",
    "^<[a-z]|<[a-z][\\w -]*>|^\\$|\\$\\{[a-z_]\\w*[:}]|\\$\\([a-z]|\\{\\{|%[A-Z_]+%",
    "redacted|example|placeholder|change[_-]?me|replace[_-]?(?:me|with)|your[_-]|dummy|insert[_-]",
    "^my[_-]?(?:secret|token|password|api[_-]?key|key)$",
  ].join("|"),
  "i",
);

export const isPlaceholder = (value: string): boolean => PLACEHOLDER.test(value);

/** Shannon's entropy of the characters of a text, in bits a character. */
export function entropy(text: string): number {
  const counts = new Map<string, number>();
  for (const character of text) counts.set(character, (counts.get(character) ?? 0) + 1);
  let bits = 0;
  for (const count of counts.values()) {
    bits -= (count / text.length) * Math.log2(count / text.length);
  }
  return bits;
}

const PIECES = /[A-Z]?[a-z]+|[A-Z]+|[0-9]+/g;

/** Three letters and more that can be spoken: a vowel, and never five consonants in a row. */
const isSpoken = (piece: string): boolean =>
  piece.length >= 3 && /[aeiouy]/i.test(piece) && !/[b-df-hj-np-tv-xz]{5}|[^a-z]/i.test(piece);

/** The share of a text's letters and digits that stand in what may be words: near 0 in random texts, near 1 in names. */
export function wordShare(text: string): number {
  let all = 0;
  let spoken = 0;
  for (const [piece] of text.matchAll(PIECES)) {
    all += piece.length;
    if (isSpoken(piece)) spoken += piece.length;
  }
  return all === 0 ? 0 : spoken / all;
}

/** How much a text may look like a name. */
interface Bounds {
  /** At this share of words a text is taken for a name. */
  readonly words: number;
  /** With this share of changes between capitals and small letters it is not; in camel case it is a third, in random letters a half. */
  readonly changes: number;
}

const STRICT: Bounds = { words: 0.7, changes: 0.38 };

/** Where little else than a secret is written. */
export const LENIENT: Bounds = { words: 0.85, changes: 0.25 };

/** The share of neighbours of which the first is of one kind and the second of the other. */
function changes(text: string, pair: RegExp): number {
  let count = 0;
  for (let at = 1; at < text.length; at++) {
    if (pair.test(text.slice(at - 1, at + 1))) count++;
  }
  return count / (text.length - 1);
}

/** Between letters and digits: in names there are few, in random texts a third. */
const isMixed = (text: string): boolean => changes(text, /[A-Za-z][0-9]|[0-9][A-Za-z]/) >= 1 / 5;

const hasRandomCase = (text: string, share: number): boolean =>
  changes(text, /[a-z][A-Z]|[A-Z][a-z]/) >= share;

const hasConsonants = (text: string): boolean => /[b-df-hj-np-tv-z]{6}/i.test(text);

/** Whether letters alone look as if a machine had drawn them. */
export function areLettersRandom(text: string, bounds: Bounds = STRICT): boolean {
  if (wordShare(text) >= bounds.words) return false;
  return hasRandomCase(text, bounds.changes) || hasConsonants(text);
}

/** Whether a text of 16 characters or more looks as if a machine had drawn it. */
export function isRandom(text: string, isLenient = false): boolean {
  const bounds = isLenient ? LENIENT : STRICT;
  if (!/[A-Za-z]/.test(text)) return false;
  if (entropy(text) < Math.min(3, Math.log2(text.length) - 1.2)) return false;
  if (isMixed(text)) return true;
  if (/[0-9]/.test(text)) return wordShare(text) < bounds.words;
  return areLettersRandom(text, bounds);
}

/** Whether the body of a token of known form may be one, as opposed to what stands for one in a text. */
export function isToken(token: string): boolean {
  const tail = token.slice(-32);
  return (
    !/x{6}|0{12}|EXAMPLE|\.{3}|(?:1234567890){2}|abcdefghij/i.test(token) &&
    new Set(tail).size >= Math.min(8, tail.length / 3)
  );
}
