import type { SessionRecord } from "./records.ts";

/** The newest generation of a session that a server can hold; -1 when nothing was planned. */
export function newestSent({ sent, streams }: SessionRecord): number {
  if (sent !== undefined) return sent;
  // Ledgers of 2.0.0 do not have it: it was the highest one.
  const begun = Object.values(streams).filter(
    ({ position, parts }) => position.lines > 0 || parts !== undefined,
  );
  return Math.max(-1, ...begun.map(({ generation }) => generation));
}

/** The highest generation that was given out to a session, or that a receipt named; -1 when there was none. */
export function newestGiven(session: SessionRecord): number {
  return Math.max(session.generations - 1, newestSent(session));
}
