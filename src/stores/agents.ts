import { lstat } from "node:fs/promises";
import type { Filter, FilterName } from "../config/filter.ts";
import { isAgentId } from "../shared/agent-id.ts";
import type { Clock } from "../shared/clock.ts";
import { describeReadFailure, type Problem } from "../shared/problem.ts";
import { filterGroups } from "./groups.ts";
import { AgentLists, NOT_ASKED } from "./jsonl/facts.ts";
import type { ByFile, Listed, SessionIndex } from "./jsonl/session-index.ts";
import { type JsonlFolder, openJsonlStore } from "./jsonl.ts";
import { DEFAULT_LAYOUT, type HostLayout } from "./layout.ts";
import { type Claim, type DatabaseFile, findPlaces, sessionsDirOf } from "./places.ts";
import { identityOf } from "./reach.ts";
import type { SessionsFolder } from "./session-store.ts";
import { findSharedSessions } from "./shared.ts";
import { readRegistry } from "./sqlite/registry.ts";
import { openSqliteStore, probeDatabase } from "./sqlite.ts";
import type { KnownBytes, Store } from "./store.ts";

/** One agent and where its transcripts are; both kinds of store at once after a host upgrade. */
export interface Agent {
  readonly agentId: string;
  /** All that it is known by: its id, its folders and links to them, and what the host calls it. */
  readonly names: readonly string[];
  /** The filter that keeps the whole agent on this machine, or null. */
  readonly excludedBy: FilterName | null;
  readonly stores: readonly Store[];
  /** Why something of it cannot be looked at; then what is found is not all there is. */
  readonly failures: readonly Problem[];
  /** A database that cannot be read may name what lies in files. */
  readonly hasUnreadDatabase: boolean;
}

export interface Agents extends AsyncDisposable {
  readonly agents: readonly Agent[];
  /** Why there may be more agents. */
  readonly failures: readonly Problem[];
}

export interface FindOptions extends Clock {
  readonly stateDir: string;
  readonly layout?: HostLayout | undefined;
  readonly filter: Pick<
    Filter,
    "byAgent" | "byAgentId" | "needsNames" | "needsAllNames" | "needsStart"
  >;
  /** Also open the stores of agents that a filter excludes, to count what is in them. */
  readonly countExcluded?: boolean;
  readonly knownBytes: KnownBytes;
}

/**
 * Finds the agents of a state directory and decides, agent by agent and by what
 * is on disk, which stores they have.
 *
 * @throws {StoreError} when the folder of agents is there and cannot be read
 */
export async function findAgents(options: FindOptions): Promise<Agents> {
  const { stateDir, layout = DEFAULT_LAYOUT, filter, countExcluded = false } = options;
  const places = await findPlaces(stateDir, layout);
  const registry = await readRegistry(stateDir);
  const shared = await findSharedSessions(places.shared);
  const claims = [...places.claims, ...registry.claims, ...shared.claims];
  const looked: (Pick<Agent, "agentId" | "names" | "excludedBy"> & { found: Found })[] = [];
  for (const { group, ...agent } of await filterGroups(claims, places.agentsDir, filter)) {
    const found = await whatIsThere(group, shared.folders);
    if (!isEmpty(found)) looked.push({ ...agent, found });
  }
  const lists = await readLists(looked, filter.needsNames);
  const indexes = [...shared.indexes, ...[...lists.values()].flatMap((one) => one.indexes)];
  const agents: Agent[] = [];
  for (const { agentId, names, excludedBy, found } of looked) {
    const isLookedAt = excludedBy === null || countExcluded;
    const look = {
      ...options,
      isExcluded: excludedBy !== null,
      lists: lists.get(agentId),
      indexes,
    };
    const { stores, failures, hasUnreadDatabase } = isLookedAt
      ? await storesOf(agentId, found, look).catch(failureOf(agentId))
      : NOTHING;
    if (isLookedAt && stores.length + failures.length === 0) continue;
    agents.push({ agentId, names, excludedBy, stores, failures, hasUnreadDatabase });
  }
  agents.sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
  return {
    agents,
    failures: [...places.failures, ...registry.failures],
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(
        agents.flatMap(({ stores }) => stores.map((store) => store.close())),
      );
    },
  };
}

/** What there is of an agent. */
interface Found {
  readonly sessions: readonly SessionsFolder[];
  readonly shared: readonly JsonlFolder[];
  readonly databases: readonly DatabaseFile[];
  readonly failures: readonly Problem[];
}

type Stores = Pick<Agent, "stores" | "failures" | "hasUnreadDatabase">;

const NOTHING: Stores = { stores: [], failures: [], hasUnreadDatabase: false };

async function whatIsThere(
  group: readonly Claim[],
  sharedFolders: ReadonlyMap<string, readonly JsonlFolder[]>,
): Promise<Found> {
  const names = new Set(group.map(({ name }) => name));
  const sessions = group
    .flatMap((one) => one.sessions)
    .map(async (folder) => ({ folder, place: await identityOf(folder.dir) }));
  return {
    sessions: uniqueBy(await Promise.all(sessions), ({ place }) => place).map(
      ({ folder }) => folder,
    ),
    shared: [...names].flatMap((name) => sharedFolders.get(name) ?? []),
    databases: group.flatMap((one) => one.databases),
    // Two names of one place have the same to say.
    failures: uniqueBy(
      group.flatMap((one) => one.failures),
      ({ message }) => message,
    ),
  };
}

function isEmpty({ sessions, shared, databases, failures }: Found): boolean {
  return sessions.length + shared.length + databases.length + failures.length === 0;
}

/** The host's lists of the sessions of agents, by agent; of what is excluded nothing is opened. */
async function readLists(
  agents: readonly (Pick<Agent, "agentId" | "excludedBy"> & { readonly found: Found })[],
  needsNames: boolean,
): Promise<Map<string, AgentLists>> {
  const lists = new Map<string, AgentLists>();
  for (const { agentId, excludedBy, found } of needsNames ? agents : []) {
    if (excludedBy === null) lists.set(agentId, await AgentLists.read(found.sessions, agentId));
  }
  return lists;
}

interface StoresOptions extends FindOptions {
  readonly isExcluded: boolean;
  readonly lists: AgentLists | undefined;
  /** All lists there are: a session need not lie where the list is. */
  readonly indexes: readonly SessionIndex[];
}

async function storesOf(agentId: string, found: Found, options: StoresOptions): Promise<Stores> {
  const { sessions, shared, databases, failures: known } = found;
  const { now, filter, isExcluded, lists, indexes } = options;
  const needsNames = filter.needsNames && !isExcluded;
  const needsStart = filter.needsStart && !isExcluded;
  const stores: Store[] = [];
  const failures = [...known];
  if (!isAgentId(agentId))
    return { ...NOTHING, failures: [...failures, ...misnamed(agentId, found)] };
  const own = sessions.map(async ({ dir }) => ({
    dir,
    factsOf: lists?.factsOf(dir, await namesIn(dir, indexes), filter.needsAllNames) ?? NOT_ASKED,
  }));
  const folders = [...(await Promise.all(own)), ...shared];
  if (folders.length > 0) stores.push(openJsonlStore({ agentId, folders, now }));

  let hasUnreadDatabase = false;
  let store: Store | undefined;
  for (const path of await databasePaths(databases)) {
    const probed = await probeDatabase(agentId, path);
    if (probed === false) continue;
    if (probed !== true) {
      hasUnreadDatabase = true;
      failures.push(probed);
    } else if (store === undefined) {
      const knownBytes: KnownBytes = isExcluded ? () => 0 : options.knownBytes;
      const sessionsDir = sessionsDirOf(path);
      const needs = { needsNames, needsStart };
      store = openSqliteStore({ agentId, path, sessionsDir, now, knownBytes, ...needs });
    } else {
      const message = `a second database of this agent is left alone, because one session must not be two: ${path}`;
      failures.push({ code: "SECOND_DATABASE", agentId, message });
    }
  }
  if (store !== undefined) stores.push(store);
  return { stores, failures, hasUnreadDatabase };
}

/** The host gives no agent such an id, so it would lead elsewhere, or be another one's, on the other side. */
function misnamed(agentId: string, { sessions, databases }: Found): Problem[] {
  if (sessions.length + databases.length === 0) return [];
  const message = `${JSON.stringify(agentId)} is no name that OpenClaw gives to the folder of an agent, so nothing in it is sent; rename it, or move it out of agents/`;
  return [{ code: "AGENT_NAME", agentId, message }];
}

/** What lists say of the files in a folder, wherever the lists are. */
async function namesIn(dir: string, indexes: readonly SessionIndex[]): Promise<ByFile<Listed>[]> {
  const place = await identityOf(dir);
  return indexes.flatMap(({ byFolder }) => byFolder.get(place) ?? []);
}

/** Whatever it is, it is the failure of this agent alone. */
function failureOf(agentId: string): (error: unknown) => Stores {
  return (error) => {
    const { code, message } = describeReadFailure(error);
    return { ...NOTHING, failures: [{ code, agentId, message: `its sessions: ${message}` }] };
  };
}

/** One path for each database: the file itself rather than a link to it, which is not followed. */
async function databasePaths(databases: readonly DatabaseFile[]): Promise<string[]> {
  const paths = new Map<string, string>();
  for (const { path, real } of databases) {
    const place = await identityOf(real);
    const known = paths.get(place);
    if (known === undefined || (await isLink(known))) paths.set(place, path);
  }
  return [...paths.values()];
}

async function isLink(path: string): Promise<boolean> {
  return lstat(path).then(
    (stats) => stats.isSymbolicLink(),
    () => false,
  );
}

/** The first of each key. */
function uniqueBy<T>(items: readonly T[], keyOf: (item: T) => string): T[] {
  const first = new Map<string, T>();
  for (const item of items) if (!first.has(keyOf(item))) first.set(keyOf(item), item);
  return [...first.values()];
}
