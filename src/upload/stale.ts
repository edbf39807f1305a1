import type { Client } from "./client.ts";
import type { Layer } from "./send.ts";

/** Failures of a connection that the server had closed while it was idle. */
const STALE: ReadonlySet<string> = new Set(["ECONNRESET", "EPIPE", "UND_ERR_SOCKET"]);

/**
 * Repeats an attempt at once, and once, that may have met a connection which the server had
 * closed: where a request was answered before, that is no failure.
 */
export function retryingStale(client: Pick<Client, "hasConnected">): Layer {
  return (send) => async (source, coding) => {
    const outcome = await send(source, coding);
    const isStale =
      outcome.kind === "retry" && client.hasConnected && STALE.has(outcome.code ?? "");
    return isStale ? await send(source, coding) : outcome;
  };
}
