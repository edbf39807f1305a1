import { digestOf } from "./event.ts";
import type { EventSource, Totals } from "./source.ts";

/**
 * What lies before a position: how many events and bytes, the first and the last
 * of them, and the rewrite generation at that time.
 *
 * The generation alone would not do: the host changes it also when it annotates or
 * trims the newest turn (message-rewrite, suffix-write), and then what was
 * delivered long before is untouched and must not be sent again.
 */
export interface Fingerprint {
  /** Digest of the host's generation; `-` when it has none. */
  readonly generation: string;
  readonly before: Totals;
  readonly first: string;
  readonly last: string;
}

export function formatFingerprint({ generation, before, first, last }: Fingerprint): string {
  return [generation, before.count, before.bytes, first, last].join(".");
}

/** Null when it is of another form, e.g. from another store. */
export function parseFingerprint(text: string): Fingerprint | null {
  const [generation, count, bytes, first, last, ...rest] = text.split(".");
  if (first === undefined || last === undefined || rest.length > 0) return null;
  const before = { count: Number(count), bytes: Number(bytes) };
  if (!Number.isSafeInteger(before.count) || !Number.isSafeInteger(before.bytes)) return null;
  return { generation: generation ?? "", before, first, last };
}

export function generationToken(generation: string | null): string {
  return generation === null ? NO_GENERATION : digestOf(Buffer.from(generation), generation.length);
}

export const NO_GENERATION = "-";

/** Digest of the very first event, or null when there is none. */
export async function firstDigest(source: EventSource): Promise<string | null> {
  const seq = await source.seqAt(0);
  return seq === null ? null : source.digest(seq);
}
