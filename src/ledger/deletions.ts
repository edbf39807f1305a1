import { retryTime } from "./backoff.ts";
import type { Deletion, DeletionScope } from "./schema.ts";

/** Whether what `inner` names is all within what `outer` names. */
function covers(outer: DeletionScope, inner: DeletionScope): boolean {
  return (
    (outer.agentId === undefined || outer.agentId === inner.agentId) &&
    (outer.sessionId === undefined || outer.sessionId === inner.sessionId)
  );
}

/** Whether the session with this key, `<agentId>/<sessionId>`, is meant. */
export function isWithin(key: string, scope: DeletionScope): boolean {
  const slash = key.indexOf("/");
  return covers(scope, { agentId: key.slice(0, slash), sessionId: key.slice(slash + 1) });
}

export function withoutDeletions(
  deletions: readonly Deletion[],
  scope: DeletionScope,
): readonly Deletion[] {
  return deletions.filter((one) => !covers(scope, one));
}

/** With one more, which takes the place of those within its scope. */
export function addDeletion(deletions: readonly Deletion[], added: Deletion): readonly Deletion[] {
  return [...withoutDeletions(deletions, added), added];
}

/** @param now ms since the epoch */
export function putOff(deletion: Deletion, reason: string, now: number): Deletion {
  const { attempts: before = 0 } = deletion.failed ?? {};
  return { ...deletion, failed: { reason, attempts: before + 1, retryAt: retryTime(before, now) } };
}
