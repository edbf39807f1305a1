const ALL_BYTES = String.fromCharCode(...new Uint8Array(256).keys());

/** A table of the bytes that belong to a class, 1 for each. @param members as within the brackets of a RegExp */
export function byteClass(members: string): Uint8Array {
  const table = new Uint8Array(256);
  for (const { index } of ALL_BYTES.matchAll(new RegExp(`[${members}]`, "g"))) table[index] = 1;
  return table;
}

/** What names and most tokens are made of. */
export const WORD = byteClass("A-Za-z0-9_-");

/** What a token may be made of, in any rule. */
const TOKEN = byteClass("A-Za-z0-9_.+/=%~$:-");

/** What a value without quotes may be made of. */
export const VALUE = byteClass("^\\s\"'`,;<>(){}\\[\\]|\\\\\\x00-\\x1f");

export const BACKSLASH = 0x5c;
export const QUOTE = 0x22;
const SLASH = 0x2f;
const PERCENT = 0x25;
const SMALL_U = 0x75;

/**
 * Whether at least `least` bytes of a token follow. A slash may be escaped; where other characters are,
 * the scanner stops for that.
 *
 * @param held a byte that must be among them
 */
export function hasToken(bytes: Uint8Array, from: number, least: number, held?: number): boolean {
  let holds = held === undefined;
  let at = from;
  for (let left = least; left > 0; left--, at++) {
    while (bytes[at] === BACKSLASH) at++;
    const byte = bytes[at] ?? 0;
    if (TOKEN[byte] !== 1 || (bytes[at - 1] === BACKSLASH && byte !== SLASH && byte !== SMALL_U)) {
      return false;
    }
    if (byte === held || byte === PERCENT) holds = true;
  }
  return holds;
}

/** What stands behind a token that breaks off: the end of its string, an ellipsis, or that something is left out. */
const CUT = byteClass('"\\\\.\\s\\x80-\\xff');

/** No token that breaks off is longer than this: else it would be long enough to be taken for a whole one. */
export const MOST_CUT = 300;

/** Whether a token may break off here, of which fewer bytes are enough. */
export function isCutOff(bytes: Uint8Array, from: number, least: number): boolean {
  let at = from;
  while (at < from + MOST_CUT && TOKEN[bytes[at] ?? 0] === 1) at++;
  return at - from >= least && (at >= bytes.length || CUT[bytes[at] ?? 0] === 1);
}

/** How many bytes of a class stand right before an offset, of `most`. */
export function countBefore(
  bytes: Uint8Array,
  at: number,
  members: Uint8Array,
  most: number,
): number {
  let count = 0;
  while (count < most && members[bytes[at - 1 - count] ?? 0] === 1) count++;
  return count;
}

const DASHES = byteClass("-");
const MOST_DASHES = 8;
const JOINED = byteClass("A-Za-z0-9_");

/**
 * Whether a word may begin here: nothing of one stands before it, unless that ends an escape, a
 * percent-encoded character or a colour of a terminal.
 */
export function isEdge(bytes: Uint8Array, offset: number): boolean {
  // In base64 for URLs, dashes are like letters: what counts is what they follow.
  const at = offset - countBefore(bytes, offset, DASHES, MOST_DASHES);
  const before = bytes[at - 1] ?? 0;
  if (JOINED[before] !== 1) return true;
  if (bytes[at - 2] === BACKSLASH || bytes[at - 3] === PERCENT) return true;
  if (bytes[at - 6] === BACKSLASH && ((bytes[at - 5] ?? 0) | 0x20) === SMALL_U) return true;
  return before === 0x6d && endsColor(bytes, at - 2);
}

/** `ESC [ 0 ; 3 2 m`, where the escape character may be an escape of JSON. */
function endsColor(bytes: Uint8Array, from: number): boolean {
  let at = from;
  while (at > from - 12 && (isDigit(bytes[at] ?? 0) || bytes[at] === 0x3b)) at--;
  return bytes[at] === 0x5b;
}

export const isDigit = (byte: number): boolean => byte >= 0x30 && byte <= 0x39;
