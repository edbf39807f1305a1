import type { FilterOptions } from "./config.ts";
import { createFilter, type Filter, type SessionNames } from "./filter.ts";

/** A filter that lets everything through. */
const NONE: FilterOptions = {
  agents: { allow: [], deny: [], content: {} },
  sessions: { allow: [], deny: [] },
  kinds: [],
  minMessages: 0,
  minBytes: 0,
};

/** Options with patterns any of which excludes what it matches. */
type DenyOption = "filter.agents.deny" | "filter.sessions.deny";

interface OnePattern {
  readonly pattern: string;
  readonly filter: Filter;
}

/** Finds the pattern of a list that excludes a session. */
export class WhichPattern {
  readonly #lists: Readonly<Record<DenyOption, readonly OnePattern[]>>;

  constructor({ agents, sessions }: Pick<FilterOptions, "agents" | "sessions">) {
    this.#lists = {
      "filter.agents.deny": agents.deny.map((pattern) => ({
        pattern,
        filter: createFilter({ ...NONE, agents: { ...NONE.agents, deny: [pattern] } }, 0),
      })),
      "filter.sessions.deny": sessions.deny.map((pattern) => ({
        pattern,
        filter: createFilter({ ...NONE, sessions: { allow: [], deny: [pattern] } }, 0),
      })),
    };
  }

  /** The first one; undefined where none does so alone. */
  of(option: DenyOption, agentNames: readonly string[], session: SessionNames): string | undefined {
    return this.#lists[option].find(
      ({ filter }) => filter.byName(agentNames, session).kind === "excluded",
    )?.pattern;
  }
}
