import type { Layer } from "./send.ts";

/**
 * Sends nothing while uploads are paused; asked before each attempt, also a retry.
 * @param whyPaused a sentence, or null while they are not
 */
export function unlessPaused(whyPaused: () => Promise<string | null>): Layer {
  return (send) => async (source, coding) => {
    const reason = await whyPaused();
    return reason === null ? await send(source, coding) : { kind: "paused", reason };
  };
}
