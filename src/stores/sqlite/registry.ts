import { basename, isAbsolute, join } from "node:path";
import { isAgentId } from "../../shared/agent-id.ts";
import { InfluxionError, type Problem } from "../../shared/problem.ts";
import { count } from "../../shared/text.ts";
import { type Claim, claim, registryPath } from "../places.ts";
import { reach } from "../reach.ts";
import { Connection, DatabaseMissingError } from "./connection.ts";
import { columnsOf } from "./shape.ts";
import { textSql } from "./values.ts";

/** Name the host reserves for the database of incognito sessions, which it keeps in memory. */
const INCOGNITO_FILE_NAME = "incognito-openclaw-agent.sqlite";

export interface Registry {
  /** Databases that are there, each under the id that it is registered with. */
  readonly claims: readonly Claim[];
  /** Why there may be more. */
  readonly failures: readonly Problem[];
}

interface Row {
  readonly agentId: string | null;
  readonly path: string | null;
}

/** Reads the host's own list of agent databases, since a configured `session.store` moves them. */
export async function readRegistry(stateDir: string): Promise<Registry> {
  const reached = await reach(registryPath(stateDir));
  if (reached.kind === "missing") return { claims: [], failures: [] };
  if (reached.kind === "unreachable") return unreadable(reached.reason);
  let rows: Row[];
  try {
    rows = await rowsOf(registryPath(stateDir));
  } catch (error) {
    if (error instanceof DatabaseMissingError) return { claims: [], failures: [] };
    if (!(error instanceof InfluxionError)) throw error;
    return unreadable(error.message);
  }
  const claims: Claim[] = [];
  let bad = 0;
  for (const { agentId, path } of rows) {
    if (agentId === null || path === null || !isAgentId(agentId) || !isPath(path)) bad++;
    else claims.push(await claimOf(agentId, isAbsolute(path) ? path : join(stateDir, path)));
  }
  return { claims, failures: badRows(bad) };
}

async function rowsOf(path: string): Promise<Row[]> {
  const connection = await Connection.open(path, "OpenClaw's state database");
  try {
    if (!columnsOf(connection, ["agent_databases"]).has("agent_databases")) return [];
    return connection.all<Row>(
      `SELECT ${textSql("agent_id")} AS agentId, ${textSql("path")} AS path
       FROM agent_databases ORDER BY agent_id, path`,
    );
  } finally {
    connection.close();
  }
}

/** Bytes that are not UTF-8 come as U+FFFD: what they name cannot be found. */
function isPath(path: string): boolean {
  return path !== "" && !/[\0\ufffd]/.test(path);
}

/** A registration outlives its agent's files, so one that leads to nothing is ordinary. */
async function claimOf(agentId: string, path: string): Promise<Claim> {
  if (basename(path) === INCOGNITO_FILE_NAME) return claim(agentId, {});
  const reached = await reach(path);
  switch (reached.kind) {
    case "real":
      return claim(agentId, { databases: [{ path, real: reached.path }] });
    case "missing":
      return claim(agentId, {});
    case "unreachable": {
      const message = `its database cannot be looked at: ${reached.reason}`;
      return claim(agentId, { failures: [{ code: "UNREACHABLE", agentId, message }] });
    }
  }
}

function unreadable(reason: string): Registry {
  const message = `OpenClaw's list of agent databases cannot be read, so agents with a session.store of their own may be missing: ${reason}`;
  return { claims: [], failures: [{ code: "REGISTRY_UNREADABLE", message }] };
}

function badRows(bad: number): Problem[] {
  if (bad === 0) return [];
  const message = `OpenClaw's list of agent databases has ${count(bad, "row")} whose agent id or path is not understood; what they lead to is not sent. Run "openclaw doctor"`;
  return [{ code: "REGISTRY_ROWS", message }];
}
