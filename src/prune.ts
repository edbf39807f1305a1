import type { Ledger } from "./ledger/ledger.ts";
import type { SessionRecord } from "./ledger/records.ts";
import type { Target } from "./ledger/schema.ts";
import type { Agent } from "./stores/agents.ts";
import type { Survey } from "./survey.ts";

/**
 * How long a vanished session is remembered, in ms. A folder that is not mounted
 * for an hour, or a host upgrade that is moving transcripts, must not make
 * everything look new.
 */
export const REMEMBER_MS = 24 * 3_600_000;

export interface PruneOptions {
  readonly ledger: Ledger;
  readonly target: Target;
  readonly survey: Survey;
  /** Every agent that exists. */
  readonly agents: readonly Agent[];
  /** ms since the epoch */
  readonly now: number;
}

/** Forgets sessions that have been gone for {@link REMEMBER_MS}. */
export function prune({ ledger, target, survey, agents, now }: PruneOptions): void {
  const found = new Set(survey.sessions.map(({ key }) => key));
  const existing = new Set(agents.map(({ agentId }) => agentId));
  const mayBeMore = survey.failedAgents.some(({ agentId }) => agentId === undefined);
  for (const [key, record] of Object.entries(target.sessions)) {
    if (found.has(key)) continue;
    const agentId = key.slice(0, key.indexOf("/"));
    // An agent that could not be listed, or was not asked for, tells nothing about its sessions.
    if ((existing.has(agentId) || mayBeMore) && !survey.listed.has(agentId)) continue;
    if (record.missingSince === undefined) {
      record.missingSince = now;
      ledger.changed();
    } else if (Math.abs(now - record.missingSince) >= REMEMBER_MS) {
      delete target.sessions[key];
      ledger.changed();
    }
  }
}

/**
 * Leaves sessions out of the ledger that were looked at and are not begun: of ten
 * thousand that wait, one run plans a few, and the next one finds the others again.
 */
export function leaveOutUnbegun({ sessions }: Target): void {
  for (const [key, record] of Object.entries(sessions)) {
    if (!isBegun(record)) delete sessions[key];
  }
}

/** Whether anything of a session was sent, planned, counted, or found not to be worth another look. */
function isBegun({ generations, streams, servedAt, aside }: SessionRecord): boolean {
  return (
    generations > 1 ||
    servedAt !== undefined ||
    aside !== undefined ||
    Object.values(streams).some(
      ({ position, parts, idle, counted, searched }) =>
        position.offset > 0 ||
        parts !== undefined ||
        idle !== undefined ||
        counted !== undefined ||
        searched !== undefined,
    )
  );
}
