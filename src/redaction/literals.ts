import { BACKSLASH, QUOTE } from "./bytes.ts";

/** A string in a line of JSON. */
export interface Literal {
  /** Offsets of its quotes. */
  readonly open: number;
  readonly close: number;
  /** Name of a member, and not a value. */
  readonly isKey: boolean;
}

/** The string that begins at or behind `from`; undefined when there is none. */
export function nextLiteral(line: string, from: number): Literal | undefined {
  const open = line.indexOf('"', from);
  if (open === -1) return undefined;
  const close = closingQuote(line, open);
  let next = close + 1;
  while (/[ \t\r]/.test(line[next] ?? "")) next++;
  return { open, close, isKey: line[next] === ":" };
}

function closingQuote(line: string, open: number): number {
  const first = line.indexOf('"', open + 1);
  if (first === -1) return line.length;
  if (line.charCodeAt(first - 1) !== BACKSLASH) return first;
  // Quotes in a text are many, and each is a step for indexOf.
  for (let at = open + 1; at < line.length; at++) {
    const byte = line.charCodeAt(at);
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) at++;
  }
  return line.length;
}
