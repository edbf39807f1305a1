/** A server that asks for more than this is not taken at its word, in ms. */
export const MAX_RETRY_AFTER_MS = 24 * 3_600_000;

const IMF_FIXDATE =
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/**
 * The wait that a `Retry-After` value asks for, in ms: seconds or an HTTP date
 * (RFC 9110, 10.2.3). Undefined when it is malformed or absurd; a date in the
 * past is 0.
 *
 * @param now ms since the epoch
 */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? "";
  let wait: number;
  if (/^\d{1,9}$/.test(text)) wait = Number(text) * 1000;
  else if (IMF_FIXDATE.test(text)) wait = Math.max(0, Date.parse(text) - now);
  else return undefined;
  return wait <= MAX_RETRY_AFTER_MS ? wait : undefined;
}
