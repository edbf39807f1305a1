import { createFilter } from "../config/filter.ts";
import { type KnownSession, listKnown, sessionsNamed } from "../discovery/select.ts";
import { Ledger } from "../ledger/ledger.ts";
import { InfluxionError } from "../shared/problem.ts";
import { findAgents } from "../stores/agents.ts";
import type { LookOptions } from "./options.ts";
import { chosenAgents } from "./scope.ts";

/** All sessions of the agents that filters let through, with all that they are called; no transcript is read. */
export async function knownSessions(options: LookOptions): Promise<readonly KnownSession[]> {
  const { stateDir, config, agentId, signal, now } = options;
  const ledger = await Ledger.open({ stateDir, now, readOnly: true });
  const chosen = createFilter(config.filter, ledger.firstRunAt ?? now());
  const filter = { ...chosen, needsNames: true, needsAllNames: true };
  // How large they are is not asked for.
  await using found = await findAgents({ ...options, filter, knownBytes: () => 0 });
  const agents = chosenAgents(found.agents, agentId);
  const { sessions } = await listKnown(agents, ledger.target(config), signal);
  return sessions;
}

/**
 * Those that a user calls `name`.
 * @throws {InfluxionError} `NO_SUCH_SESSION`
 */
export function namedSessions(sessions: readonly KnownSession[], name: string): KnownSession[] {
  const meant = sessionsNamed(sessions, name);
  if (meant.length > 0) return meant;
  throw new InfluxionError(
    "NO_SUCH_SESSION",
    `no session "${name}" among those of the agents that the filters let through; it goes by its id, its key, its label or <agent>/<id>`,
  );
}
