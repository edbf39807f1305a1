import type { SurveyedSession } from "../discovery/examine.ts";
import type { TargetRecords, Turn } from "../ledger/target.ts";
import type { PlannedSession } from "./parts.ts";

/** What a run that spent its retries leaves; 1 is what one leaves that did not come to its end. */
const SPENT_TRIES = 2;

/** Runs that may spend their retries on the same parts, while others get through, before the session is put aside. */
const MAX_TRIES = 4;

/** Sends every planned session to the back of the queue, and remembers where it was. */
export function takeTurns(
  target: TargetRecords,
  plan: readonly PlannedSession[],
): Map<string, Turn> {
  return new Map(plan.map(({ session: { key } }) => [key, target.takeTurn(key)]));
}

/** Gives those that the run did not come to their place in the queue back. */
export function giveTurnsBack(target: TargetRecords, turns: ReadonlyMap<string, Turn>): void {
  for (const [key, turn] of turns) target.giveTurnBack(key, turn);
}

/** A session that did not get through in this run, and why. */
export interface Undelivered {
  readonly session: Pick<SurveyedSession, "key">;
  readonly reason: string;
}

/** What did not get through, while at least a part of others did or while none did. */
export interface UndeliveredSessions {
  /** Their retries are spent. */
  readonly spent: readonly Undelivered[];
  /** The API knows no such thing as them, but others. */
  readonly notFound: readonly Undelivered[];
  readonly hasDelivered: boolean;
}

/**
 * Lets the sessions whose retries were spent wait their turn. What the API fails on
 * again and again, and takes others meanwhile, is the session's own trouble; and so is
 * what it does not find then.
 */
export function settleSpent(
  target: TargetRecords,
  { spent, notFound, hasDelivered }: UndeliveredSessions,
): void {
  for (const { session, reason } of notFound) target.putAside(session.key, reason);
  for (const { session, reason } of spent) {
    const { key } = session;
    const tries = Math.max(target.session(key)?.tries ?? 0, SPENT_TRIES);
    target.setTries(key, tries);
    if (hasDelivered && tries >= MAX_TRIES) target.putAside(key, reason);
  }
}
