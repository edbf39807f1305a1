import { splitKey } from "../ledger/session-key.ts";
import type { TargetRecords } from "../ledger/target.ts";
import type { Agent } from "../stores/agents.ts";
import { hasDelivered } from "./examine.ts";
import type { Survey } from "./survey.ts";

/**
 * Counts the sessions that are missing, and forgets those that were often enough; see
 * `TargetRecords.missed`. None while nothing of what was sent is there: then it is the
 * disk that is missing, or the state directory is another one.
 */
export function prune(
  target: TargetRecords,
  { sessions, listed, failedAgents }: Survey,
  agents: readonly Agent[],
): void {
  const found = new Set(sessions.map(({ key }) => key));
  const sent = Object.keys(target.sessions).filter((key) => hasDelivered(target.session(key)));
  if (sent.length > 0 && !sent.some((key) => found.has(key))) return;
  const existing = new Set(agents.map(({ agentId }) => agentId));
  const mayBeMore = failedAgents.some(({ agentId }) => agentId === undefined);
  for (const key of Object.keys(target.sessions)) {
    if (found.has(key)) continue;
    const { agentId } = splitKey(key);
    // An agent that could not be listed, or was not asked for, says nothing about its sessions.
    const isGone = !existing.has(agentId) && !mayBeMore;
    if (isGone || listed.has(agentId)) target.missed(key);
  }
}
