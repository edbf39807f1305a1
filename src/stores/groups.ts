import type { Filter, FilterName } from "../config/filter.ts";
import { type Claim, ownerOf } from "./places.ts";
import { identityOf } from "./reach.ts";

/** Claims that are of one agent, because they share a name or lead to one place. */
export async function groupClaims(claims: readonly Claim[]): Promise<Claim[][]> {
  const keys = await Promise.all(claims.map(keysOf));
  const groups = new Set<{ keys: Set<string>; claims: Claim[] }>();
  for (const [at, one] of claims.entries()) {
    const merged = { keys: new Set(keys[at]), claims: [] as Claim[] };
    for (const group of groups) {
      if (![...merged.keys].some((key) => group.keys.has(key))) continue;
      groups.delete(group);
      for (const key of group.keys) merged.keys.add(key);
      merged.claims.push(...group.claims);
    }
    merged.claims.push(one);
    groups.add(merged);
  }
  return [...groups].map((group) => group.claims);
}

/** What an agent is sent as, and all that it is known by. */
export interface GroupName {
  /** The name of the real folder in `agents/`, or the first of its names. */
  readonly agentId: string;
  readonly names: string[];
  /** Other folders in `agents/` that something of it lies in. */
  readonly within: string[];
}

/** One agent, before anything of it was looked at. */
export interface FilteredGroup extends Pick<GroupName, "agentId" | "names"> {
  /** The filter that keeps the whole agent on this machine, or null. */
  readonly excludedBy: FilterName | null;
  readonly group: readonly Claim[];
}

/**
 * Which agents there are, and which a filter excludes.
 * @param agentsDir real path of `agents/`; null when there is none
 */
export async function filterGroups(
  claims: readonly Claim[],
  agentsDir: string | null,
  filter: Pick<Filter, "byAgent" | "byAgentId">,
): Promise<FilteredGroup[]> {
  const groups = (await groupClaims(claims)).map((group) => {
    const named = nameGroup(group, agentsDir);
    // Asked about those without sessions, too: a pattern that names one is no typing error.
    return { ...named, byItsNames: filter.byAgent(named.names), group };
  });
  // Once all are known by their names.
  return groups.map(({ agentId, names, byItsNames, within, group }) => {
    const isDenied = within.some((one) => filter.byAgentId(one) === "filter.agents.deny");
    const excludedBy = byItsNames ?? (isDenied ? "filter.agents.deny" : null);
    return { agentId, names, excludedBy, group };
  });
}

/** @param agentsDir real path of `agents/`; null when there is none */
export function nameGroup(group: readonly Claim[], agentsDir: string | null): GroupName {
  const names = new Set(group.map(({ name }) => name).sort());
  const paths = agentsDir === null ? [] : realPaths(group);
  const owners = paths.map((path) => ownerOf(path, agentsDir ?? "")).filter((one) => one !== null);
  const agentId = owners.find((owner) => names.has(owner)) ?? [...names][0] ?? "";
  const others = [...names, ...group.flatMap(({ alsoCalled }) => alsoCalled)];
  const within = [...new Set(owners)].filter((owner) => !names.has(owner));
  return { agentId, names: [...new Set([agentId, ...others])], within };
}

/** In the same order in each run, whatever order a folder is listed in. */
function realPaths(group: readonly Claim[]): string[] {
  return [
    ...group.flatMap(({ sessions }) => sessions.map(({ dir }) => dir)).sort(),
    ...group.flatMap(({ databases }) => databases.map(({ real }) => real)).sort(),
    ...group.flatMap(({ folder }) => folder ?? []).sort(),
  ];
}

async function keysOf({ name, folder, sessions, databases }: Claim): Promise<string[]> {
  const paths = [folder, ...sessions.map(({ dir }) => dir), ...databases.map(({ real }) => real)];
  const places = paths.filter((path) => path !== null).map(identityOf);
  return [`name ${name}`, ...(await Promise.all(places)).map((place) => `place ${place}`)];
}
