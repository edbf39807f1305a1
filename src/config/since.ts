import { type NameVerdict, PASSES, undecidable } from "./verdict.ts";

/** What `filter.since` may be besides a date: from the plugin's first run on. */
const FIRST_RUN = "install";

/** A day, or an instant with its offset from UTC: without one it would depend on where the Gateway was started. */
const DATE = /^(\d{4}-\d{2}-\d{2})(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;

/** Whether `filter.since` means something. */
export function isSince(text: string): boolean {
  return text === FIRST_RUN || parseDate(text) !== null;
}

/**
 * What `filter.since` means, in ms since the epoch. A day begins at midnight in UTC.
 * @param firstRunAt when the plugin first ran
 */
export function sinceTime(text: string, firstRunAt: number): number {
  return parseDate(text) ?? firstRunAt;
}

/** What last changed before an instant began before it. A later time says nothing of the beginning. */
export function verdictByStart(
  since: number,
  startTime: number | null,
  changedAt: number,
): NameVerdict {
  if ((startTime ?? changedAt) < since) return { kind: "excluded", filter: "filter.since" };
  if (startTime !== null) return PASSES;
  return undecidable("filter.since", "nothing says when it began");
}

function parseDate(text: string): number | null {
  const day = DATE.exec(text)?.[1];
  if (day === undefined) return null;
  const [start, time] = [Date.parse(day), Date.parse(text)];
  // Months have 31 days to `Date.parse`, and the rest is the next month's.
  const isDay = !Number.isNaN(start) && new Date(start).toISOString().startsWith(day);
  return isDay && !Number.isNaN(time) ? time : null;
}
