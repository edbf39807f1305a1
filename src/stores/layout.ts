import { normalizeAgentId } from "../shared/agent-id.ts";
import { asObject, isText } from "../shared/json.ts";

/** What the host's config says of agents and of where their sessions are. Plain data: it goes to another thread. */
export interface HostLayout {
  /** `session.store` as it is written, which may hold `~` and `{agentId}`; undefined where the host's default holds. */
  readonly sessionStore?: string | undefined;
  /** Configured agents, each by its normalised id. */
  readonly agents: readonly ConfiguredAgent[];
  /** Whose the sessions are that name no agent. */
  readonly defaultAgentId: string;
}

export interface ConfiguredAgent {
  readonly agentId: string;
  /** What its user calls it besides: the id as it is written, and its names. */
  readonly names: readonly string[];
}

/** Where nothing is configured. */
export const DEFAULT_LAYOUT: HostLayout = { agents: [], defaultAgentId: "main" };

/** Reads the layout from a host's config, whatever is in it. Hosts have agents as `agents.list` (2026.7) or `agents.entries` (2026.9). */
export function readLayout(config: unknown): HostLayout {
  const { session, agents } = asObject(config);
  const { store } = asObject(session);
  const entries = agentEntries(asObject(agents));
  const marked = entries.find((entry) => entry.default === true) ?? entries[0];
  return {
    sessionStore: typeof store === "string" && store !== "" ? store : undefined,
    agents: entries.map((entry) => ({
      agentId: normalizeAgentId(String(entry.id)),
      names: [entry.id, entry.name, asObject(entry.identity).name].filter(isText),
    })),
    defaultAgentId: marked === undefined ? "main" : normalizeAgentId(String(marked.id)),
  };
}

function agentEntries({ entries, list }: Record<string, unknown>): Record<string, unknown>[] {
  const found =
    entries !== undefined
      ? Object.entries(asObject(entries)).map(([id, entry]) => ({ ...asObject(entry), id }))
      : Array.isArray(list)
        ? list.map(asObject)
        : [];
  return found.filter(({ id }) => isText(id));
}
