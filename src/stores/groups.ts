import { type Claim, ownerOf } from "./places.ts";

/** Claims that are of one agent, because they share a name or lead to one place. */
export function groupClaims(claims: readonly Claim[]): Claim[][] {
  const groups = new Set<{ keys: Set<string>; claims: Claim[] }>();
  for (const one of claims) {
    const merged = { keys: new Set(keysOf(one)), claims: [] as Claim[] };
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
}

/** @param agentsDir real path of `agents/`; null when there is none */
export function nameGroup(group: readonly Claim[], agentsDir: string | null): GroupName {
  const names = new Set(group.map(({ name }) => name).sort());
  const owners = agentsDir === null ? [] : realPaths(group).map((path) => ownerOf(path, agentsDir));
  const agentId = owners.find((owner) => owner !== null && names.has(owner)) ?? [...names][0] ?? "";
  const others = [...names, ...group.flatMap(({ alsoCalled }) => alsoCalled)];
  return { agentId, names: [...new Set([agentId, ...others])] };
}

function realPaths(group: readonly Claim[]): string[] {
  return [
    ...group.flatMap(({ sessions }) => sessions.map(({ dir }) => dir)),
    ...group.flatMap(({ databases }) => databases.map(({ real }) => real)),
    ...group.flatMap(({ folder }) => folder ?? []),
  ];
}

function keysOf({ name, folder, sessions, databases }: Claim): string[] {
  const paths = [folder, ...sessions.map(({ dir }) => dir), ...databases.map(({ real }) => real)];
  return [`name ${name}`, ...paths.filter((path) => path !== null).map((path) => `path ${path}`)];
}
