import { byteClass, countBefore, isDigit, VALUE, WORD } from "../bytes.ts";
import type { Needle } from "../rule.ts";

/** Characters of a name behind what the needle is of it. */
export const NAME_BEHIND = 32;

/** Between name and value, in bytes, with what escapes make of it. */
export const GAP = 64;

/** Values of this length and more must look random, so that words need not be looked at. */
const LONG = 16;

const EQUALS = 0x3d;
const COLON = 0x3a;
const GREATER = 0x3e;
const PERCENT = 0x25;
const COMMA = 0x2c;
const PIPE = 0x7c;
const QUESTION = 0x3f;
const BRACKET = 0x28;
const SPACE = 0x20;
const DASH = 0x2d;
const SMALL_I = 0x69;
const SMALL_S = 0x73;

/** What may stand between name and value: white space, quotes, separators, `value`, and escapes of all that. */
const GAP_BYTES = byteClass(
  " \\t\\n\\r\"'`*\\\\:=>,%0-9A-FvVaAlLuUetTnNr\\[\\]({&;|?+\\x80-\\xff-",
);

const CAPITALS = byteClass("A-Z");
const IDENTIFIER = byteClass("A-Za-z_.$?!");
const QUOTES = byteClass("\"'`\\\\");

/**
 * Whether something may be assigned behind a needle: a separator, and behind it a value of at least `least` bytes, not
 * only of small letters when that is many.
 */
export function assigns(least: number): Needle["verify"] {
  return (bytes, start, from) => {
    let at = from;
    while (at < from + NAME_BEHIND && WORD[bytes[at] ?? 0] === 1) at++;
    let separated = bytes[at] === SPACE && bytes[at + 1] !== DASH;
    at = typeEnd(bytes, at);
    const verb = verbEnd(bytes, at);
    separated ||= verb > at;
    at = verb;
    for (const to = at + GAP; at < to; at++) {
      if (separated && isValue(bytes, at, least, start)) return true;
      separated ||= isSeparator(bytes, at, start);
      if (GAP_BYTES[bytes[at] ?? 0] !== 1) return false;
    }
    return false;
  };
}

/** Letters, and signs of types. */
const TYPE = byteClass("A-Za-z0-9_.<>&");
const MOST_TYPE = 24;

/** Behind the type in `name: string = …` and `name string = …`; where it was when there is none. */
function typeEnd(bytes: Uint8Array, from: number): number {
  let at = from;
  if (bytes[at] === COLON) at++;
  if (bytes[at] === SPACE) at++;
  const start = at;
  while (at < start + MOST_TYPE && TYPE[bytes[at] ?? 0] === 1) at++;
  const isType = start > from && at > start && bytes[at] === SPACE && bytes[at + 1] === EQUALS;
  return isType ? at : from;
}

const PREPOSITION = byteClass("fot");
const PHRASE = byteClass("\\w .@'-");
const MOST_PHRASE = 52;

/** Behind `is` in `the password is …` and `the password for the account is …`; where it was when there is none. */
function verbEnd(bytes: Uint8Array, from: number): number {
  if (isVerb(bytes, from)) return from + VERB.length;
  if (bytes[from] !== SPACE || PREPOSITION[bytes[from + 1] ?? 0] !== 1) return from;
  for (let at = from + 1; at < from + MOST_PHRASE; at++) {
    if (PHRASE[bytes[at] ?? 0] !== 1) return from;
    if (isVerb(bytes, at)) return at + VERB.length;
  }
  return from;
}

const VERB = " is";

const isVerb = (bytes: Uint8Array, at: number): boolean =>
  bytes[at] === SPACE &&
  bytes[at + 1] === SMALL_I &&
  bytes[at + 2] === SMALL_S &&
  (bytes[at + 3] === SPACE || bytes[at + 3] === COLON || bytes[at + 3] === PERCENT);

function isSeparator(bytes: Uint8Array, at: number, start: number): boolean {
  const byte = bytes[at] ?? 0;
  if (byte === COMMA) return isArgument(bytes, start) || isOption(bytes, start);
  if (byte === QUESTION) return bytes[at + 1] === QUESTION;
  return (
    byte === EQUALS ||
    byte === COLON ||
    byte === GREATER ||
    byte === PIPE ||
    byte === PERCENT ||
    byte >= 0x80
  );
}

/** `--password value` */
function isOption(bytes: Uint8Array, start: number): boolean {
  for (let at = start - 1; at > start - NAME_BEHIND; at--) {
    const byte = bytes[at] ?? 0;
    if (byte === DASH && bytes[at - 1] === DASH) return true;
    if (WORD[byte] !== 1) return false;
  }
  return false;
}

/** `define("NAME", …` */
function isArgument(bytes: Uint8Array, start: number): boolean {
  let at = start - countBefore(bytes, start, WORD, NAME_BEHIND) - 1;
  if (QUOTES[bytes[at] ?? 0] !== 1) return false;
  while (QUOTES[bytes[at] ?? 0] === 1) at--;
  return bytes[at] === BRACKET || bytes[at - 2] === PERCENT;
}

/** @param start offset of the needle */
function isValue(bytes: Uint8Array, from: number, least: number, start: number): boolean {
  const members = membersAt(bytes, from);
  for (let at = from; at < from + least; at++) {
    if (members[bytes[at] ?? 0] !== 1) return false;
  }
  if (least >= LONG) return !isCall(bytes, from) && mayBeRandom(bytes, from, FEW_CHANGES);
  return !isCode(bytes, from, start) || mayBeRandom(bytes, from, SOME_CHANGES);
}

const IDENTIFIER_OR_MEMBER = byteClass("A-Za-z0-9_.$?!");

/** `name(`, which no value without quotes goes on with. */
function isCall(bytes: Uint8Array, from: number): boolean {
  if (QUOTES[bytes[from - 1] ?? 0] === 1) return false;
  let at = from;
  while (at < from + MOST_CALL && IDENTIFIER_OR_MEMBER[bytes[at] ?? 0] === 1) at++;
  return bytes[at] === BRACKET;
}

const MOST_CALL = 64;

/** An identifier or a member, without quotes, and not assigned to a name in capitals. */
function isCode(bytes: Uint8Array, from: number, start: number): boolean {
  const isQuoted = QUOTES[bytes[from - 1] ?? 0] === 1;
  if (isQuoted || CAPITALS[bytes[start] ?? 0] === 1 || isOption(bytes, start)) return false;
  let at = from;
  while (IDENTIFIER[bytes[at] ?? 0] === 1) at++;
  return VALUE[bytes[at] ?? 0] !== 1;
}

/** What a quoted value may have in it. */
const QUOTED = byteClass("^\\s\"'`\\\\");

/** One character of so many is a change between capitals and small letters. */
const MANY_CHANGES = 3;
const SOME_CHANGES = 4;
const FEW_CHANGES = 4;

const membersAt = (bytes: Uint8Array, from: number): Uint8Array =>
  QUOTES[bytes[from - 1] ?? 0] === 1 ? QUOTED : VALUE;

/** A digit, or capitals between small letters more often than at the beginnings of words. */
export function mayBeRandom(bytes: Uint8Array, from: number, share = MANY_CHANGES): boolean {
  const members = membersAt(bytes, from);
  let changes = 0;
  let at = from;
  for (; at < from + 64 && members[bytes[at] ?? 0] === 1; at++) {
    const byte = bytes[at] ?? 0;
    if (isDigit(byte)) return true;
    if (at > from && ((byte ^ (bytes[at - 1] ?? 0)) & SPACE) !== 0) changes++;
  }
  return changes * share >= at - from;
}
