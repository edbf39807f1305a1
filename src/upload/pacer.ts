import { setTimeout as sleep } from "node:timers/promises";
import type { Layer } from "./send.ts";

/** Makes attempts at anything, of which each waits for what the API asked for in those before. */
export type Pacer = <
  Result extends { readonly kind: string; readonly waitMs?: number | undefined },
>(
  attempt: () => Promise<Result>,
) => Promise<Result>;

/** @throws the signal's reason, as do its attempts */
export function createPacer(signal: AbortSignal): Pacer {
  let until = 0;
  return async (attempt) => {
    const ms = until - performance.now();
    if (ms > 0) await sleep(ms, undefined, { signal });
    signal.throwIfAborted();
    const outcome = await attempt();
    if (outcome.kind === "retry" && outcome.waitMs !== undefined) {
      until = Math.max(until, performance.now() + outcome.waitMs);
    }
    return outcome;
  };
}

/**
 * Holds back every part of a run while the API asks not to be called: what it asks for
 * concerns all of them, a part's own back-off only itself.
 *
 * @throws the signal's reason
 */
export function paced(signal: AbortSignal): Layer {
  const pacer = createPacer(signal);
  return (send) => (source, coding) => pacer(() => send(source, coding));
}
