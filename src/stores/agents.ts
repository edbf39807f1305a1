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
  /** Why a store that is there cannot be used; then what is found is not all there is. */
  readonly failures: readonly Problem[];
}

export interface Agents extends AsyncDisposable {
  readonly agents: readonly Agent[];
  /** What concerns no agent in particular. */
  readonly problems: readonly Problem[];
}

export interface FindOptions {
  readonly stateDir: string;
  /** Wall clock, in ms since the epoch. */
  readonly now: () => number;
  /** The size of a session that still has the signature of an earlier look, if it is known. */
  readonly knownBytes: (
    agentId: string,
    sessionId: string,
    signature: string,
  ) => number | undefined;
}

/**
 * Finds the agents of a state directory and decides, agent by agent and by what
 * is on disk, which stores they have.
 *
 * @throws {StoreError} when the folder of agents is there and cannot be read
 */
export async function findAgents({ stateDir, now, knownBytes }: FindOptions): Promise<Agents> {
  const found = new Map<string, { stores: Store[]; failures: Problem[] }>();
  const agent = (agentId: string): { stores: Store[]; failures: Problem[] } => {
    const known = found.get(agentId) ?? { stores: [], failures: [] };
    found.set(agentId, known);
    return known;
  };
  const folders = (await agentFolders(stateDir)).map(({ name }) => name);
  for (const name of folders) {
    const dir = join(stateDir, "agents", name, "sessions");
    if (existsSync(dir)) agent(name).stores.push(openJsonlStore({ agentId: name, dir, now }));
  }
  const { databases, problems } = await findAgentDatabases(stateDir, folders);
  for (const database of databases) {
    const { agentId, path } = database;
    const { stores, failures } = agent(agentId);
    if (stores.some((store) => store.kind === "sqlite")) {
      const message = `a second database of this agent is left alone, because one session must not be two: ${path}`;
      failures.push({ code: "SECOND_DATABASE", agentId, message });
    } else {
      const known = (sessionId: string, signature: string): number | undefined =>
        knownBytes(agentId, sessionId, signature);
      stores.push(openSqliteStore({ ...database, now, knownBytes: known }));
    }
  }
  for (const problem of problems) {
    if (problem.agentId !== undefined) agent(problem.agentId).failures.push(problem);
  }
  const agents = [...found].map(([agentId, rest]) => ({ agentId, ...rest }));
  agents.sort((a, b) => (a.agentId < b.agentId ? -1 : 1));
  return {
    agents,
    problems: problems.filter(({ agentId }) => agentId === undefined),
    async [Symbol.asyncDispose]() {
      await Promise.allSettled(
        agents.flatMap(({ stores }) => stores.map((store) => store.close())),
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
