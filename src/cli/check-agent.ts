import type { Config } from "../config/config.ts";
import { createFilter, isNamed } from "../config/filter.ts";
import type { Clock } from "../shared/clock.ts";
import { InfluxionError } from "../shared/problem.ts";
import { findAgents } from "../stores/agents.ts";
import type { Setup } from "./command-input.ts";

/**
 * Whether `--agent` names one that is there.
 * @throws {InfluxionError} `NO_SUCH_AGENT`, with the names of those that are
 */
export async function checkAgent(
  { stateDir, layout }: Setup,
  { now }: Clock,
  config: Config,
  name: string,
): Promise<void> {
  const filter = createFilter(config.filter, now());
  const knownBytes = () => undefined;
  await using found = await findAgents({ stateDir, layout, filter, now, knownBytes });
  if (found.agents.some(({ names }) => isNamed(names, name))) return;
  const ids = found.agents.map(({ agentId }) => agentId);
  const there = ids.length === 0 ? "none has any transcript here" : `there are: ${ids.join(", ")}`;
  throw new InfluxionError("NO_SUCH_AGENT", `no agent "${name}"; ${there}`);
}
