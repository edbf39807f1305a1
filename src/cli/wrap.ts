import { displayWidth, graphemes } from "../shared/width.ts";
import type { Terminal } from "./terminal.ts";

/** Of a terminal that does not say how wide it is, and the least that anything is made to fit in, in cells. */
const DEFAULT_WIDTH = 80;
const LEAST_WIDTH = 30;

/** Continuation lines begin here at most, as a share of the width. */
const MOST_INDENT = 0.5;

/** Cells in a line; as many as one likes where the output is no terminal. */
export function widthOf({ isTTY, columns }: Terminal["out"]): number {
  if (isTTY !== true) return Number.POSITIVE_INFINITY;
  return Math.max(LEAST_WIDTH, columns || DEFAULT_WIDTH);
}

/**
 * A text behind what stands in front of it, in lines of at most `width` cells. Where it goes on, it
 * begins below its first word.
 *
 * @param text without control sequences
 * @param indent cells in front of where it goes on @default those of `prefix`
 */
export function hang(
  prefix: string,
  text: string,
  width: number,
  indent = displayWidth(prefix),
): string {
  const first = displayWidth(prefix);
  if (first + displayWidth(text) <= width) return prefix + text;
  const margin = Math.min(indent, Math.floor(width * MOST_INDENT));
  const [head = "", ...rest] = fill(text, width - first, width - margin);
  return [prefix + head, ...rest.map((line) => " ".repeat(margin) + line)].join("\n").trimEnd();
}

/** The text in lines: the first of so many cells, each other of so many. */
function fill(text: string, first: number, others: number): string[] {
  const lines = [""];
  let room = first;
  const newLine = (): void => {
    lines.push("");
    room = others;
  };
  const add = (piece: string): void => {
    lines[lines.length - 1] += piece;
    room -= displayWidth(piece);
  };
  for (const [index, word] of text.split(" ").entries()) {
    const spaced = index === 0 || lines.at(-1) === "" ? word : ` ${word}`;
    if (displayWidth(spaced) <= room) {
      add(spaced);
      continue;
    }
    // Text without spaces, as of Chinese or a path, is broken where the line ends.
    const isBroken = displayWidth(word) > others;
    if (!isBroken) newLine();
    for (const one of isBroken ? graphemes(spaced) : [word]) {
      if (displayWidth(one) > room && lines.at(-1) !== "") newLine();
      if (one !== " " || lines.at(-1) !== "") add(one);
    }
  }
  return lines;
}
