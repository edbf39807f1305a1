import { setTimeout as sleep } from "node:timers/promises";
import type { Outcome } from "./classify.ts";
import type { Layer, PartSource } from "./send.ts";

/** Longest back-off between two attempts, in ms. `Retry-After` may ask for more. */
export const MAX_BACKOFF_MS = 5 * 60_000;

/** A wait longer than this ends the run instead; the sessions stay pending. In ms. */
export const MAX_WAIT_IN_RUN_MS = 5 * 60_000;

/**
 * How long to wait before retry number `retry` (0 is the first), in ms: full jitter
 * on an exponential back-off, so that many gateways do not strike together.
 *
 * @param random a number in [0, 1)
 */
export function backoffMs(retry: number, baseMs: number, random: () => number): number {
  return Math.round(random() * Math.min(MAX_BACKOFF_MS, baseMs * 2 ** retry));
}

/** How often and how long to try again what may pass. */
export interface RetryTimes {
  /** Retries after the first attempt. */
  readonly retryAttempts: number;
  readonly retryBackoffMs: number;
  readonly signal: AbortSignal;
  readonly random: () => number;
}

export interface RetryOptions extends RetryTimes {
  /** Notified why an attempt failed and how long the next one waits, in ms. */
  readonly onRetry?: (source: PartSource, reason: string, waitMs: number) => void;
}

type Retry = Extract<Outcome, { kind: "retry" }>;

/**
 * Tries again what may pass, after a back-off. When the retries are exhausted, or the API asks
 * for a longer wait than a run may last, the last `retry` is the outcome.
 *
 * @throws the signal's reason
 */
export function retrying({ onRetry, ...times }: RetryOptions): Layer {
  return (send) => (source, coding) =>
    tryAgain(
      times,
      () => send(source, coding),
      (reason, waitMs) => onRetry?.(source, reason, waitMs),
    );
}

/** The same for an attempt at anything; what the API asks to wait is the attempt's to wait for. */
export async function tryAgain<Other extends { readonly kind: string }>(
  { retryAttempts, retryBackoffMs, signal, random }: RetryTimes,
  attempt: () => Promise<Other | Retry>,
  onRetry: (reason: string, waitMs: number) => void,
): Promise<Other | Retry> {
  for (let retry = 0; ; retry++) {
    const outcome = await attempt();
    if (!isRetry(outcome) || retry >= retryAttempts) return outcome;
    const { reason, waitMs = 0 } = outcome;
    if (waitMs > MAX_WAIT_IN_RUN_MS) return outcome;
    const backoff = backoffMs(retry, retryBackoffMs, random);
    onRetry(reason, Math.max(waitMs, backoff));
    await sleep(backoff, undefined, { signal });
  }
}

const isRetry = (outcome: { readonly kind: string }): outcome is Retry => outcome.kind === "retry";
