import { type Lock, takeLock } from "../ledger/lock.ts";
import type { RunOptions } from "./options.ts";

/** The lock of a run; throws what {@link takeLock} throws. */
export function takeRunLock(
  options: Pick<RunOptions, "stateDir" | "trigger" | "lockWaitMs" | "signal" | "events">,
): Promise<Lock> {
  const { stateDir, trigger, lockWaitMs, signal, events } = options;
  return takeLock({
    stateDir,
    role: trigger === "command" ? "command" : "gateway",
    waitMs: lockWaitMs,
    signal,
    ...(events?.onWait === undefined ? {} : { onWait: events.onWait }),
  });
}
