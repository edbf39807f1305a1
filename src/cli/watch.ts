import { setTimeout as sleep } from "node:timers/promises";
import type { Terminal } from "./terminal.ts";

/** What is shown at one moment, and the exit code if it was the last one. */
export interface Frame {
  readonly text: string;
  readonly exitCode: number;
}

/** Time between two looks, in ms; after one that took long it is this many times as long. */
const EVERY_MS = 2_000;
const REST = 10;

/** Of a terminal that does not say how many it has. */
const DEFAULT_ROWS = 24;

// The other screen, so that what was there before is there again afterwards; without its cursor.
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const TO_TOP = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

/**
 * Shows something again and again in its place until the signal fires, and leaves what it showed last.
 * @returns the exit code of that
 */
export async function watch(
  out: Terminal["out"],
  signal: AbortSignal,
  look: () => Promise<Frame>,
): Promise<number> {
  let last: Frame = { text: "", exitCode: 0 };
  out.write(ENTER);
  try {
    while (!signal.aborted) {
      const start = performance.now();
      last = await orAborted(look(), signal);
      out.write(drawn(last.text, out));
      const tookMs = performance.now() - start;
      await sleep(Math.max(EVERY_MS, REST * tookMs), undefined, { signal });
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    out.write(LEAVE);
  }
  out.write(last.text);
  return last.exitCode;
}

/** A look that is going on is not waited for. */
async function orAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** Over what was drawn before, without a flicker; of more lines than there is room for, the first ones. */
function drawn(text: string, { rows = DEFAULT_ROWS }: Terminal["out"]): string {
  const lines = text.trimEnd().split("\n");
  const room = Math.max(2, rows) - 1;
  const more = lines.length - room;
  const shown = more > 0 ? [...lines.slice(0, room - 1), `… and ${more + 1} more lines`] : lines;
  const body = shown.map((line) => `${line}${CLEAR_LINE}\n`).join("");
  return `${TO_TOP}${body}${CLEAR_BELOW}`;
}
