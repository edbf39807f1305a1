import type { SurveyedSession } from "../discovery/examine.ts";
import type { QueuePlace, TargetRecords } from "../ledger/target.ts";
import type { PlannedSession } from "./parts.ts";

/** What a run that exhausted its retries leaves; 1 is what one leaves that did not come to its end. */
const EXHAUSTED_TRIES = 2;

/** Runs that may exhaust their retries on the same parts, while others get through, before they back off from the session. */
const MAX_TRIES = 4;

/** Sends every planned session to the back of the queue, and remembers where it was. */
export function moveToBack(
  target: TargetRecords,
  plan: readonly PlannedSession[],
): Map<string, QueuePlace> {
  return new Map(plan.map(({ session: { key } }) => [key, target.moveToBack(key)]));
}

/** Gives those that the run did not come to their place in the queue back. */
export function restorePlaces(
  target: TargetRecords,
  places: ReadonlyMap<string, QueuePlace>,
): void {
  for (const [key, place] of places) target.restorePlace(key, place);
}

/** A session that did not get through in this run, and why. */
export interface Undelivered {
  readonly session: Pick<SurveyedSession, "key">;
  readonly reason: string;
}

/** What did not get through, while at least a part of others did or while none did. */
export interface UndeliveredSessions {
  /** Their retries are exhausted. */
  readonly exhausted: readonly Undelivered[];
  /** The API knows no such thing as them, but others. */
  readonly notFound: readonly Undelivered[];
  readonly hasDelivered: boolean;
}

/**
 * Lets the sessions whose retries were exhausted wait in the queue. What the API fails on
 * again and again, and takes others meanwhile, is the session's own trouble; and so is
 * what it does not find then.
 */
export function recordUndelivered(
  target: TargetRecords,
  { exhausted, notFound, hasDelivered }: UndeliveredSessions,
): void {
  for (const { session, reason } of notFound) target.backOff(session.key, reason);
  for (const { session, reason } of exhausted) {
    const { key } = session;
    const tries = Math.max(target.session(key)?.tries ?? 0, EXHAUSTED_TRIES);
    target.setTries(key, tries);
    if (hasDelivered && tries >= MAX_TRIES) target.backOff(key, reason);
  }
}
