import picomatch from "picomatch";
import type { FilterOptions } from "./config.ts";

/** The option that keeps a session on this machine. */
export type FilterName =
  | "filter.agents.allow"
  | "filter.agents.deny"
  | "filter.sessions.deny"
  | "filter.minBytes"
  | "filter.minMessages";

/** Decides about a session by what is known without reading it. Deny wins over allow. */
export interface Filter {
  /** The filter that excludes the session, or null when it may go. */
  byName(agentId: string, sessionId: string): FilterName | null;
  /** @param bytes size of the whole session */
  bySize(bytes: number): FilterName | null;
  readonly minMessages: number;
}

export function createFilter(options: FilterOptions): Filter {
  const allow = new Set(options.agents.allow);
  const deny = new Set(options.agents.deny);
  // `dot`: an id may begin with a dot, and a filter for privacy must not overlook it.
  const isDenied = picomatch(options.sessions.deny, { dot: true });
  return {
    minMessages: options.minMessages,
    byName(agentId, sessionId) {
      if (deny.has(agentId)) return "filter.agents.deny";
      if (allow.size > 0 && !allow.has(agentId)) return "filter.agents.allow";
      if (options.sessions.deny.length > 0 && isDenied(sessionId)) return "filter.sessions.deny";
      return null;
    },
    bySize: (bytes) => (bytes < options.minBytes ? "filter.minBytes" : null),
  };
}
