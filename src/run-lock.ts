import { takeLock } from "./ledger/lock.ts";
import type { RunOptions } from "./run.ts";

/** The lock of a run, to be held around `runLocked`. */
export function takeRunLock(
  options: Pick<RunOptions, "stateDir" | "trigger" | "lockWaitMs" | "signal" | "events">,
): Promise<AsyncDisposable> {
  const { stateDir, trigger, lockWaitMs, signal, events } = options;
  return takeLock({
    stateDir,
    role: trigger === "interval" ? "gateway" : "command",
    waitMs: lockWaitMs,
    signal,
    ...(events?.onWait === undefined ? {} : { onWait: events.onWait }),
  });
}
