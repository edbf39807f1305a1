import { retryTime } from "./backoff.ts";
import { newestGiven } from "./generations.ts";
import type { Deletion, DeletionData, DeletionScope, TargetData } from "./schema.ts";
import { splitKey } from "./session-key.ts";

/** What the API of one destination is to delete, and has not confirmed, in the order in which it was asked for. */
export class Deletions {
  readonly #data: TargetData;
  readonly #now: () => number;

  /** @param now wall clock, in ms since the epoch */
  constructor(data: TargetData, now: () => number) {
    this.#data = data;
    this.#now = now;
  }

  get pending(): readonly Deletion[] {
    return this.#data.deletions ?? [];
  }

  /**
   * Writes down that the API is to delete what it holds, up to what may have been sent by now. It
   * takes the place of those within its scope.
   */
  plan(scope: DeletionScope): void {
    const { sessions, leastGeneration = 0 } = this.#data;
    let through = Math.floor(this.#now());
    for (const key in sessions) {
      const session = isWithin(key, scope) ? sessions[key] : undefined;
      if (session !== undefined) through = Math.max(through, newestGiven(session));
    }
    this.cancel(scope);
    this.#set([...this.pending, { ...scope, through }]);
    // Sessions that are not known yet must not begin with what a server takes for deleted.
    if (scope.sessionId === undefined) {
      this.#data.leastGeneration = Math.max(leastGeneration, through + 1);
    }
  }

  /** Nobody wants any more what is within the scope. */
  cancel(scope: DeletionScope): void {
    this.#set(this.pending.filter((one) => !covers(scope, one)));
  }

  /** The API has confirmed it. */
  confirm(deletion: Deletion): void {
    this.#set(this.pending.filter((one) => one !== deletion));
  }

  /** Leaves the deletion alone for a while: each time it fails again, for twice as long. */
  putOff(deletion: Deletion, reason: string): void {
    const { attempts: before = 0 } = deletion.failed ?? {};
    const retryAt = retryTime(before, this.#now());
    const failed = { reason, attempts: before + 1, retryAt };
    this.#set(this.pending.map((one) => (one === deletion ? { ...one, failed } : one)));
  }

  #set(deletions: readonly Deletion[]): void {
    if (deletions.length === 0) delete this.#data.deletions;
    else this.#data.deletions = deletions as DeletionData[];
  }
}

/** Whether what `inner` names is all within what `outer` names. */
function covers(outer: DeletionScope, inner: DeletionScope): boolean {
  return (
    (outer.agentId === undefined || outer.agentId === inner.agentId) &&
    (outer.sessionId === undefined || outer.sessionId === inner.sessionId)
  );
}

/** Whether the session with this key, `<agentId>/<sessionId>`, is meant. */
function isWithin(key: string, scope: DeletionScope): boolean {
  return covers(scope, splitKey(key));
}
