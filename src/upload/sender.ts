import { type CodingChoice, fallingBack } from "./coding.ts";
import { paced } from "./pacer.ts";
import { type AttemptOptions, attempting } from "./part.ts";
import { unlessPaused } from "./pausing.ts";
import { type RetryOptions, retrying } from "./retry.ts";
import type { PartOutcome, PartSource } from "./send.ts";
import { retryingStale } from "./stale.ts";

export interface SenderOptions extends AttemptOptions, RetryOptions {
  readonly codings: CodingChoice;
  /** A sentence while uploads are paused, else null. */
  readonly whyPaused: () => Promise<string | null>;
}

/**
 * Sends one part until it is delivered, will not be, or the retries are exhausted, which
 * leaves a `retry`.
 *
 * @throws the signal's reason, or what reading the transcript threw
 */
export type SendPart = (source: PartSource) => Promise<PartOutcome>;

/** What sends the parts of a run, from the attempt to the choice of its coding. */
export function createSender(options: SenderOptions): SendPart {
  const { client, codings, signal, whyPaused } = options;
  const layers = [
    unlessPaused(whyPaused),
    paced(signal),
    retryingStale(client),
    retrying(options),
    fallingBack(codings),
  ];
  const send = layers.reduce((inner, layer) => layer(inner), attempting(options));
  return (source) => send(source, codings.next);
}
