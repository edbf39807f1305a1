import type { HeadlineKind } from "../run/headline.ts";
import type { painter } from "./terminal.ts";
import { hang } from "./wrap.ts";

/** What all pieces of `status` are made with. */
export interface View {
  readonly now: number;
  readonly paint: ReturnType<typeof painter>;
  /** Cells in a line. */
  readonly width: number;
  readonly kind: HeadlineKind;
}

/** Cells of the labels. */
const LABEL_WIDTH = 12;

/**
 * Left-aligned label and value under a common margin.
 * @param further cells from the margin to where the value goes on in the next line
 */
export function field(label: string, value: string, width: number, further = 0): string {
  const start = `  ${label.padEnd(LABEL_WIDTH)}`;
  return `${hang(start, value, width, start.length + further)}\n`;
}
