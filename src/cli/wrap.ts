import { stripVTControlCharacters } from "node:util";
import { displayWidth, graphemes } from "../shared/width.ts";
import type { Terminal } from "./terminal.ts";

/** Of a terminal that does not say how wide it is, and the least that anything is made to fit in, in cells. */
const DEFAULT_WIDTH = 80;
const LEAST_WIDTH = 30;

/** Cells in a line; as many as one likes where the output is no terminal. */
export function widthOf({ isTTY, columns }: Terminal["out"]): number {
  if (isTTY !== true) return Number.POSITIVE_INFINITY;
  return Math.max(LEAST_WIDTH, columns || DEFAULT_WIDTH);
}

/** What colours a text, and takes no room. */
const STYLE = /(\p{Cc}\[[0-9;]*m)/u;

const measure = (text: string): number => displayWidth(stripVTControlCharacters(text));

/** A space at which no line ends. */
const NO_BREAK = "\u00a0";

/** A text that stays in one line where it fits. */
export const unbroken = (text: string): string => text.replaceAll(" ", NO_BREAK);

/** Lines each of which goes on below its own beginning, a little further in. */
export function wrapLines(lines: readonly string[], out: Terminal["out"]): string {
  const width = widthOf(out);
  return lines.map((line) => hang("", line, width, 2)).join("\n");
}

/**
 * A text behind what stands in front of it, in lines of at most `width` cells.
 *
 * @param text one line, which may be coloured
 * @param indent cells in front of where it goes on; at most half of the width @default those of `prefix`
 */
export function hang(
  prefix: string,
  text: string,
  width: number,
  indent = measure(prefix),
): string {
  const first = measure(prefix);
  if (first + measure(text) <= width) return prefix + text.replaceAll(NO_BREAK, " ");
  const margin = Math.min(indent, Math.floor(width / 2));
  const [head = "", ...rest] = fill(text, width - first, width - margin);
  const lines = [prefix + head, ...rest.map((line) => " ".repeat(margin) + line)];
  return lines.join("\n").replaceAll(NO_BREAK, " ");
}

/** The text in lines: the first of so many cells, each other of so many. */
function fill(text: string, first: number, others: number): string[] {
  const lines = new Lines(first, others);
  for (const [index, word] of text.split(" ").entries()) {
    const spaced = index === 0 ? word : ` ${word}`;
    if (measure(spaced) <= lines.room) lines.add(spaced);
    else if (measure(word) <= others) lines.begin(word);
    // Text without spaces, as of Chinese or a path, is broken where the line ends.
    else for (const piece of piecesOf(spaced)) lines.addOrBegin(piece);
  }
  return lines.text;
}

/** Its characters, and what colours them. */
function piecesOf(word: string): string[] {
  return word.split(STYLE).flatMap((part) => (STYLE.test(part) ? [part] : [...graphemes(part)]));
}

class Lines {
  readonly text = [""];
  /** Cells that are left in the last line. */
  room: number;
  readonly #others: number;

  constructor(first: number, others: number) {
    this.room = first;
    this.#others = others;
  }

  add(piece: string): void {
    this.text.push((this.text.pop() ?? "") + piece);
    this.room -= measure(piece);
  }

  begin(piece: string): void {
    // An empty first line has the prefix before it.
    this.text.push("");
    this.room = this.#others;
    this.add(piece);
  }

  addOrBegin(piece: string): void {
    if (measure(piece) <= this.room) this.add(piece);
    else this.begin(piece.trimStart());
  }
}
