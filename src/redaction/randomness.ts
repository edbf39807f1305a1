/** What people and documentation write where a secret would stand. */
const PLACEHOLDER =
  /x{5}|\*{3}|\.{3}|…|^[x*.#_-]+$|<[a-z]|^\$|\$[{(]|\{\{|%[A-Z_]+%|redacted|example|placeholder|change[_-]?me|replace[_-]?(?:me|with)|your[_-]|dummy|insert[_-]|^my[_-]?(?:secret|token|password|api[_-]?key|key)$|abcdefgh|0{10}|(?:1234567890){2}/i;

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

/** At this share a text is taken for a name. */
const NAME_SHARE = 0.7;

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

/** Between capitals and small letters: in names in camel case a third, in random letters a half. */
const hasRandomCase = (text: string): boolean => changes(text, /[a-z][A-Z]|[A-Z][a-z]/) >= 0.38;

const hasConsonants = (text: string): boolean => /[b-df-hj-np-tv-z]{6}/i.test(text);

/** Whether a text of 16 characters or more looks as if a machine had drawn it. */
export function isRandom(text: string): boolean {
  if (!/[A-Za-z]/.test(text)) return false;
  if (entropy(text) < Math.min(3, Math.log2(text.length) - 1.2)) return false;
  if (isMixed(text)) return true;
  if (wordShare(text) >= NAME_SHARE) return false;
  return /[0-9]/.test(text) || hasRandomCase(text) || hasConsonants(text);
}

/** Whether the body of a token of known form may be one, as opposed to what stands for one in a text. */
export function isToken(token: string): boolean {
  const tail = token.slice(-32);
  return (
    !/x{6}|0{12}|EXAMPLE|\.{3}|(?:1234567890){2}|abcdefghij/i.test(token) &&
    new Set(tail).size >= Math.min(8, tail.length / 3)
  );
}
