import { BACKSLASH, QUOTE } from "./bytes.ts";

const COLON = 0x3a;
const SPACE = 0x20;
const TAB = 0x09;

/** A string in a line of JSON. */
export interface Literal {
  /** Offsets of its quotes. */
  readonly open: number;
  readonly close: number;
  /** Name of a member, and not a value. */
  readonly isKey: boolean;
}

/** The string that begins at or behind `from`; undefined when there is none. */
export function nextLiteral(line: Buffer, from: number): Literal | undefined {
  const open = line.indexOf(QUOTE, from);
  if (open === -1) return undefined;
  const close = closingQuote(line, open);
  let next = close + 1;
  while (line[next] === SPACE || line[next] === TAB) next++;
  return { open, close, isKey: line[next] === COLON };
}

function closingQuote(line: Buffer, open: number): number {
  const first = line.indexOf(QUOTE, open + 1);
  if (first === -1) return line.length;
  if (line[first - 1] !== BACKSLASH) return first;
  // Quotes in a text are many, and each is a step for indexOf.
  for (let at = open + 1; at < line.length; at++) {
    const byte = line[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return line.length;
}
