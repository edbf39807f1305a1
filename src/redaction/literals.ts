import { BACKSLASH } from "./bytes.ts";

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
  for (let at = line.indexOf('"', open + 1); at !== -1; at = line.indexOf('"', at + 1)) {
    let before = at - 1;
    while (line.charCodeAt(before) === BACKSLASH) before--;
    if ((at - before) % 2 === 1) return at;
  }
  return line.length;
}
