import { realpath } from "node:fs/promises";
import { basename, dirname, isAbsolute, join } from "node:path";
import { errnoOf, InfluxionError, type Problem } from "../../problem.ts";
import { Connection } from "./connection.ts";
import { columnsOf, holdsTranscripts } from "./shape.ts";

const FILE_NAME = "openclaw-agent.sqlite";

/** Name the host reserves for the database of incognito sessions, which it keeps in memory. */
const INCOGNITO_FILE_NAME = "incognito-openclaw-agent.sqlite";

export interface AgentDatabase {
  readonly agentId: string;
  readonly path: string;
  /** The agent's artifacts: `cold/` archives lie there. It need not exist. */
  readonly sessionsDir: string;
}

export interface FoundDatabases {
  readonly databases: AgentDatabase[];
  readonly problems: Problem[];
}

/**
 * Finds the databases that hold transcripts: at the usual place of each agent, and
 * where the host's own registry says, since a configured `session.store` moves them.
 *
 * @param agentIds names of the folders in `agents/`
 */
export async function findAgentDatabases(
  stateDir: string,
  agentIds: readonly string[],
): Promise<FoundDatabases> {
  const problems: Problem[] = [];
  const candidates = [
    ...agentIds.map((agentId) => usualPlace(stateDir, agentId)),
    ...(await registeredPlaces(stateDir, problems)),
  ];
  const databases: AgentDatabase[] = [];
  const seen = new Set<string>();
  for (const { agentId, path } of candidates) {
    if (basename(path) === INCOGNITO_FILE_NAME) continue;
    const real = await realpath(path).catch(errnoOf);
    // A registration outlives its agent's files, so a missing one is ordinary.
    if (real === "ENOENT" || real === "ENOTDIR" || seen.has(real)) continue;
    // What else keeps it from being resolved also keeps it from being opened, which says why.
    if (isAbsolute(real)) seen.add(real);
    const problem = await problemWith(agentId, path);
    if (problem === null) databases.push({ agentId, path, sessionsDir: sessionsDirOf(path) });
    else if (problem !== NOT_A_STORE) problems.push(problem);
  }
  return { databases, problems };
}

const NOT_A_STORE = "not a store";

async function problemWith(
  agentId: string,
  path: string,
): Promise<Problem | typeof NOT_A_STORE | null> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(path, `the database of agent ${agentId}`);
    return holdsTranscripts(connection) ? null : NOT_A_STORE;
  } catch (error) {
    if (!(error instanceof InfluxionError)) throw error;
    if (error.code === "DB_MISSING") return NOT_A_STORE;
    // Locked right now: reading it says so, and is tried again in the next run.
    return error.code === "DB_BUSY" ? null : problemOf(error, agentId);
  } finally {
    connection?.close();
  }
}

function usualPlace(stateDir: string, agentId: string): Place {
  return { agentId, path: join(stateDir, "agents", agentId, "agent", FILE_NAME) };
}

async function registeredPlaces(stateDir: string, problems: Problem[]): Promise<Place[]> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(
      join(stateDir, "state", "openclaw.sqlite"),
      "OpenClaw's state database",
    );
    const columns = columnsOf(connection, ["agent_databases"]).get("agent_databases");
    if (columns === undefined) return [];
    return connection
      .all<Place>("SELECT agent_id AS agentId, path FROM agent_databases ORDER BY agent_id, path")
      .map(({ agentId, path }) => ({
        agentId,
        path: isAbsolute(path) ? path : join(stateDir, path),
      }));
  } catch (error) {
    if (!(error instanceof InfluxionError)) throw error;
    if (error.code !== "DB_MISSING") {
      problems.push({
        code: "REGISTRY_UNREADABLE",
        message: `OpenClaw's list of agent databases cannot be read, so agents with a session.store of their own may be missing: ${error.message}`,
      });
    }
    return [];
  } finally {
    connection?.close();
  }
}

/** As the host derives it: beside `agent/`, or the folder of a database that was moved. */
function sessionsDirOf(path: string): string {
  const dir = dirname(path);
  return basename(dir) === "agent" ? join(dirname(dir), "sessions") : dir;
}

function problemOf({ code, message }: InfluxionError, agentId: string): Problem {
  return { code, message, agentId };
}

interface Place {
  readonly agentId: string;
  readonly path: string;
}
