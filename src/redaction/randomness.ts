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

/** Of all pairs of letters, the sixth that is met most often in English words and in names made of them. */
const COMMON_PAIRS = new Set(
  (
    "th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co me de hi ri ro ic " +
    "ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us ac ot il tr ly nc et ut ss so rs un " +
    "lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry"
  ).split(" "),
);

/** The share of neighbouring letters that words have: a sixth in random texts, two thirds and more in names. */
function pairShare(text: string): number {
  const letters = text.toLowerCase();
  let all = 0;
  let common = 0;
  for (let at = 1; at < letters.length; at++) {
    const pair = letters.slice(at - 1, at + 1);
    if (!/^[a-z]{2}$/.test(pair)) continue;
    all++;
    if (COMMON_PAIRS.has(pair)) common++;
  }
  return all < ENOUGH_PAIRS ? 1 : common / all;
}

/** With fewer, as in other scripts than that of English, nothing can be told. */
const ENOUGH_PAIRS = 8;

/** Shorter texts have too few pairs to tell. */
const LEAST_PAIRS = 20;
const FEW_PAIRS = 0.38;

const hasFewPairs = (text: string): boolean =>
  text.length >= LEAST_PAIRS && pairShare(text) < FEW_PAIRS;

/** Whether a text is made of words, as far as its letters go. */
const isWords = (text: string, { words }: Bounds): boolean =>
  wordShare(text) >= words && !hasFewPairs(text);

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
  if (isWords(text, bounds)) return false;
  return hasRandomCase(text, bounds.changes) || hasConsonants(text) || hasFewPairs(text);
}

/** Sixteen digits have less of it. */
function leastEntropy(text: string): number {
  const most = text.length >= LEAST_PAIRS && /^[0-9a-f]+$/i.test(text) ? 2.5 : 3;
  return Math.min(most, Math.log2(text.length) - 1.2);
}

/** Whether a text of 16 characters or more looks as if a machine had drawn it. */
export function isRandom(text: string, isLenient = false): boolean {
  const bounds = isLenient ? LENIENT : STRICT;
  if (!/[A-Za-z]/.test(text)) return false;
  if (entropy(text) < leastEntropy(text)) return false;
  if (isMixed(text)) return true;
  if (/[0-9]/.test(text)) return !isWords(text, bounds);
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
