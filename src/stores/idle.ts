import type { Stream } from "./store.ts";

/** How long a stream must be untouched before a last line without newline, or a shrink, is believed. */
export const SETTLE_MS = 10_000;

/**
 * Whether a stream has been left alone for so long that an equal signature later
 * means equal content. Clocks of files tick in milliseconds: what was touched
 * moments ago may change once more without a trace.
 */
export function isIdle({ changedAt }: Pick<Stream, "changedAt">, now: number): boolean {
  // A clock that was set back must not make a stream "fresh" for ever.
  return Math.abs(now - changedAt) >= SETTLE_MS;
}
