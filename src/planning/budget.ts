/** What the order of service and the shares are decided by. */
export interface Candidate {
  readonly key: string;
  /** Bytes of source that are waiting. */
  readonly bytes: number;
  /** When a part of it was last planned, in ms since the epoch; 0 is never. */
  readonly servedAt: number;
  /** When it last changed, in ms since the epoch. */
  readonly changedAt: number;
}

export interface Share<T extends Candidate> {
  readonly candidate: T;
  /** Bytes of source it may send in this run. */
  readonly bytes: number;
}

/**
 * Longest unserved first, so that whoever was served goes to the back: a session
 * that is always busy, always failing or never ending waits in the queue like others.
 */
export function inOrder<T extends Candidate>(candidates: readonly T[]): T[] {
  return candidates.toSorted(
    (a, b) =>
      a.servedAt - b.servedAt ||
      a.changedAt - b.changedAt ||
      (a.key < b.key ? -1 : Number(a.key > b.key)),
  );
}

/**
 * Divides a budget among candidates that are {@link inOrder}. Whoever fits into an
 * equal share of what is left goes whole, smallest first; the rest of the budget
 * goes to the larger ones in order. So a giant never keeps small sessions waiting,
 * and giants alternate.
 *
 * @returns shares above 0, in the order of service; they sum up to at most `budget`
 */
export function allocateBudget<T extends Candidate>(
  candidates: readonly T[],
  budget: number,
): Share<T>[] {
  const bySize = candidates.toSorted((a, b) => a.bytes - b.bytes);
  const granted = new Map<T, number>();
  let left = budget;
  for (const [index, candidate] of bySize.entries()) {
    if (candidate.bytes > left / (bySize.length - index)) break;
    granted.set(candidate, candidate.bytes);
    left -= candidate.bytes;
  }
  for (const candidate of candidates) {
    if (granted.has(candidate)) continue;
    const bytes = Math.min(candidate.bytes, left);
    granted.set(candidate, bytes);
    left -= bytes;
  }
  return candidates
    .map((candidate) => ({ candidate, bytes: granted.get(candidate) ?? 0 }))
    .filter(({ bytes }) => bytes > 0);
}
