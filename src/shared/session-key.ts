import { normalizeAgentId } from "./agent-id.ts";

/** A key under which the host keeps a session: `agent:<agent>:<rest>`. */
export interface SessionKey {
  /** Normalised. */
  readonly agentId: string;
  readonly rest: string;
}

/** As the host reads a key, in any case; null for one that names no agent. */
export function parseSessionKey(text: string): SessionKey | null {
  const [, agent, rest] = /^agent:([^:]+):(.+)$/is.exec(text.trim()) ?? [];
  return agent === undefined || rest === undefined
    ? null
    : { agentId: normalizeAgentId(agent), rest };
}
