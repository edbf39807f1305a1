import { lstat } from "node:fs/promises";
import { basename, dirname, isAbsolute, join, relative, sep } from "node:path";
import { errnoOf, type Problem, StoreError } from "../shared/problem.ts";
import type { HostLayout } from "./layout.ts";
import { readFolderNames } from "./names.ts";
import { reach } from "./reach.ts";
import { findMovedSessions, type SessionsFolder, type SharedFolder } from "./session-store.ts";

const DATABASE_NAME = "openclaw-agent.sqlite";

/** A file that is there and may be an agent's database. */
export interface DatabaseFile {
  readonly path: string;
  /** Real path. */
  readonly real: string;
}

/** What one name of an agent leads to. Two names that lead to one place are of one agent. */
export interface Claim {
  readonly name: string;
  /** What the agent is called besides. */
  readonly alsoCalled: readonly string[];
  /** Real path of its folder in `agents/`; null when it has none. */
  readonly folder: string | null;
  readonly sessions: readonly SessionsFolder[];
  readonly databases: readonly DatabaseFile[];
  /** Why something that is there cannot be looked at. */
  readonly failures: readonly Problem[];
}

/** The host's own database, which lists those of agents. */
export function registryPath(stateDir: string): string {
  return join(stateDir, "state", "openclaw.sqlite");
}

export interface Places {
  readonly claims: readonly Claim[];
  readonly shared: readonly SharedFolder[];
  /** Real path of `agents/`; null when there is none. */
  readonly agentsDir: string | null;
  /** Why there may be more agents. */
  readonly failures: readonly Problem[];
}

/**
 * Finds what agents there are and where their sessions may be, by names and links alone:
 * no file is opened. A database that only the host's registry knows is not among them.
 *
 * @throws {StoreError} when the folder of agents is there and cannot be read
 */
export async function findPlaces(stateDir: string, layout: HostLayout): Promise<Places> {
  const { dir, names, broken } = await agentFolders(stateDir);
  const own = dir === null ? [] : await Promise.all(names.map((name) => claimOf(dir, name)));
  const moved = await findMovedSessions(layout, names);
  const configured = layout.agents.map(({ agentId, names: alsoCalled }) =>
    claim(agentId, { alsoCalled }),
  );
  const claims = [
    // Before the usual places: where both hold a session, this is the one the host writes to.
    ...moved.folders.map(({ agentId, ...folder }) => claim(agentId, { sessions: [folder] })),
    ...own.filter((one) => one !== null),
    ...broken.map((name) => brokenClaim(name)),
    ...configured,
  ];
  const shared = new Set(moved.shared.map((folder) => folder.dir));
  return {
    // A folder that several agents share is nobody's own.
    claims: claims.map((one) => ({
      ...one,
      sessions: one.sessions.filter((folder) => !shared.has(folder.dir)),
    })),
    shared: moved.shared.map((folder) => ({
      ...folder,
      agentId: (dir === null ? null : ownerOf(folder.dir, dir)) ?? folder.agentId,
    })),
    agentsDir: dir,
    failures: moved.failures,
  };
}

/** The name of the folder in `agentsDir` that a real path is or lies in, or null. */
export function ownerOf(path: string, agentsDir: string): string | null {
  const way = relative(agentsDir, path);
  const [name = ""] = way.split(sep);
  return name === "" || name === ".." || isAbsolute(way) ? null : name;
}

export function claim(name: string, parts: Partial<Claim>): Claim {
  const nothing = { alsoCalled: [], folder: null, sessions: [], databases: [], failures: [] };
  return { name, ...nothing, ...parts };
}

/** As the host derives it: beside `agent/`, or the folder of a database that was moved. */
export function sessionsDirOf(databasePath: string): string {
  const dir = dirname(databasePath);
  return basename(dir) === "agent" ? join(dirname(dir), "sessions") : dir;
}

async function agentFolders(
  stateDir: string,
): Promise<{ dir: string | null; names: string[]; broken: string[] }> {
  const path = join(stateDir, "agents");
  const reached = await reach(path);
  if (reached.kind === "missing") return { dir: null, names: [], broken: [] };
  if (reached.kind === "unreachable") throw unreadable(`no agent can be found: ${reached.reason}`);
  try {
    return { dir: reached.path, ...(await readFolderNames(reached.path)) };
  } catch (error) {
    throw unreadable(`${path} cannot be read (${errnoOf(error) || String(error)})`, error);
  }
}

function unreadable(message: string, cause?: unknown): StoreError {
  return new StoreError("FOLDER_UNREADABLE", message, { cause });
}

/** Null for a link to something that is no folder. */
async function claimOf(agentsDir: string, name: string): Promise<Claim | null> {
  const path = join(agentsDir, name);
  const failures: Problem[] = [];
  const fail = (reason: string): void => {
    failures.push({ code: "UNREACHABLE", agentId: name, message: reason });
  };
  const folder = await reach(path);
  if (folder.kind !== "real") {
    if (folder.kind === "unreachable") fail(`its folder cannot be looked at: ${folder.reason}`);
    return claim(name, { failures });
  }
  if (!(await isFolder(folder.path))) return null;

  const sessions = await reach(join(path, "sessions"));
  if (sessions.kind === "unreachable") {
    fail(`its sessions cannot be looked at: ${sessions.reason}`);
  }
  const databasePath = join(path, "agent", DATABASE_NAME);
  const database = await reach(databasePath);
  if (database.kind === "unreachable") {
    fail(`its database cannot be looked at: ${database.reason}`);
  }
  return claim(name, {
    folder: folder.path,
    sessions:
      sessions.kind === "real"
        ? [{ dir: sessions.path, index: join(sessions.path, "sessions.json") }]
        : [],
    databases: database.kind === "real" ? [{ path: databasePath, real: database.path }] : [],
    failures,
  });
}

async function isFolder(path: string): Promise<boolean> {
  // What cannot be determined here is reported by whoever opens it.
  return lstat(path).then(
    (stats) => stats.isDirectory(),
    () => true,
  );
}

/** The host gives no such name; somebody else's folder, or a damaged disk. */
function brokenClaim(name: string): Claim {
  const message = `the name of its folder in agents/ is not UTF-8, so nothing in it can be looked at; rename it`;
  return claim(name, { failures: [{ code: "NAME_NOT_UTF8", agentId: name, message }] });
}
