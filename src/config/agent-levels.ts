import { slugOf } from "../shared/agent-id.ts";
import { parseSessionKey } from "../shared/session-key.ts";
import { type ContentLevel, leastOf } from "./content.ts";
import type { AgentLevelOptions } from "./content-option.ts";
import {
  type AgentName,
  agentName,
  deniesAgent,
  matchAny,
  type Pattern,
  patterns,
} from "./patterns.ts";

/** The most that agents' sessions are sent with, by the agents' names. */
export class AgentLevels {
  readonly patterns: readonly Pattern<AgentName>[];
  readonly #levels: readonly ContentLevel[];
  /** By each id of agents that were asked about by all their names. */
  readonly #known = new Map<string, ContentLevel>();

  constructor(levels: AgentLevelOptions) {
    // What a pattern may mean counts, as it does where it denies.
    this.patterns = patterns("filter.agents.content", Object.keys(levels), deniesAgent);
    this.#levels = Object.values(levels);
  }

  byNames(names: readonly string[]): ContentLevel {
    if (this.patterns.length === 0) return "full";
    const asked = names.map(agentName);
    const level = leastOf(
      this.#levels.filter((_, at) => matchAny(this.patterns.slice(at, at + 1), asked)),
    );
    for (const id of names.map(slugOf)) {
      this.#known.set(id, leastOf([level, this.#known.get(id) ?? "full"]));
    }
    return level;
  }

  /** Also by the agents that keys of a session name, which need not be the one in whose store it is. */
  bySession(agentNames: readonly string[], names: readonly string[]): ContentLevel {
    if (this.patterns.length === 0) return "full";
    const others = names.flatMap((name) => parseSessionKey(name)?.agentId ?? []);
    return leastOf([this.byNames(agentNames), ...others.map((id) => this.#byId(id))]);
  }

  /** For a session of which nobody knows whose it is. */
  least(): ContentLevel {
    return leastOf(this.#levels);
  }

  #byId(agentId: string): ContentLevel {
    return this.#known.get(slugOf(agentId)) ?? this.byNames([agentId]);
  }
}
