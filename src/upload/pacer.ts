import { setTimeout as sleep } from "node:timers/promises";
import type { Layer } from "./send.ts";

/**
 * Holds back every part of a run while the API asks not to be called: what it asks for
 * concerns all of them, a part's own back-off only itself.
 *
 * @throws the signal's reason
 */
export function paced(signal: AbortSignal): Layer {
  let until = 0;
  return (send) => async (source, coding) => {
    const ms = until - performance.now();
    if (ms > 0) await sleep(ms, undefined, { signal });
    signal.throwIfAborted();
    const outcome = await send(source, coding);
    if (outcome.kind === "retry" && outcome.waitMs !== undefined) {
      until = Math.max(until, performance.now() + outcome.waitMs);
    }
    return outcome;
  };
}
