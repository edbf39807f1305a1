import { type Dirent, existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, type Problem, StoreError } from "../problem.ts";
import { openJsonlStore } from "./jsonl.ts";
import { findAgentDatabases, openSqliteStore } from "./sqlite.ts";
import type { Store } from "./store.ts";

/** One agent and where its transcripts are; both kinds at once after a host upgrade. */
export interface Agent {
  readonly agentId: string;
  readonly stores: readonly Store[];
}

export interface Agents extends AsyncDisposable {
  readonly agents: readonly Agent[];
  readonly problems: readonly Problem[];
}

/**
 * Finds the agents of a state directory and decides, agent by agent and by what
 * is on disk, which stores they have.
 *
 * @throws {StoreError} when the folder of agents is there and cannot be read
 */
export async function findAgents(stateDir: string, now: () => number): Promise<Agents> {
  const stores = new Map<string, Store[]>();
  const add = (store: Store): void => {
    const known = stores.get(store.agentId);
    if (known === undefined) stores.set(store.agentId, [store]);
    else known.push(store);
  };
  for (const entry of await agentFolders(stateDir)) {
    const dir = join(stateDir, "agents", entry.name, "sessions");
    if (existsSync(dir)) add(openJsonlStore({ agentId: entry.name, dir, now }));
  }
  const { databases, problems } = await findAgentDatabases(stateDir);
  for (const database of databases) add(openSqliteStore({ ...database, now }));

  const agents = [...stores].map(([agentId, found]) => ({ agentId, stores: found }));
  agents.sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
  return {
    agents,
    problems,
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(
        agents.flatMap((agent) => agent.stores.map((store) => store.close())),
      );
    },
  };
}

async function agentFolders(stateDir: string): Promise<Dirent[]> {
  const dir = join(stateDir, "agents");
  try {
    const entries = await readdir(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    const reason = errnoOf(error) || String(error);
    throw new StoreError("FOLDER_UNREADABLE", `${dir} cannot be read (${reason})`, {
      cause: error,
    });
  }
}
