import { readdir } from "node:fs/promises";
import { homedir } from "node:os";
import { dirname, resolve } from "node:path";
import { isAgentId, slugOf } from "../shared/agent-id.ts";
import { errnoOf, type Problem } from "../shared/problem.ts";
import type { HostLayout } from "./layout.ts";
import { reach } from "./reach.ts";

/** In `session.store`, stands for an agent's id. */
const PLACEHOLDER = "{agentId}";

/** A folder of JSONL sessions. */
export interface SessionsFolder {
  /** Real path. */
  readonly dir: string;
  /** Where the host says what the sessions in it are called; the file need not exist. */
  readonly index: string;
}

/** A folder that holds the sessions of several agents, or may: `session.store` names one for all. */
export interface SharedFolder {
  /** Real path. */
  readonly dir: string;
  /** Files that say what the sessions are called, each with the agent whose those are that have no agent in their key. */
  readonly indexes: readonly { readonly path: string; readonly agentId: string }[];
  /** Whose the sessions are that no index lists. */
  readonly agentId: string;
  /** More than one agent is known, so that these may also be another's. */
  readonly isDoubtful: boolean;
}

export interface MovedSessions {
  readonly folders: readonly (SessionsFolder & { readonly agentId: string })[];
  readonly shared: readonly SharedFolder[];
  /** Why there may be more. */
  readonly failures: readonly Problem[];
}

/**
 * The folders that a configured `session.store` moves sessions to, by real path.
 * @param names of folders in `agents/`
 */
export async function findMovedSessions(
  { sessionStore: store, agents, defaultAgentId }: HostLayout,
  names: readonly string[],
): Promise<MovedSessions> {
  if (store === undefined) return { folders: [], shared: [], failures: [] };
  const failures: Problem[] = [];
  const fail = (reason: string): void => {
    const message = `sessions that session.store moved cannot be looked at: ${reason}`;
    failures.push({ code: "UNREACHABLE", message });
  };
  const isTemplate = store.includes(PLACEHOLDER);
  const known = [defaultAgentId, ...agents.map(({ agentId }) => agentId), ...names.map(slugOf)];
  const ids = isTemplate
    ? new Set([...known, ...(await idsOnDisk(store, fail))].filter(isAgentId))
    : [defaultAgentId];
  const isDoubtful = new Set(known.filter(isAgentId)).size > 1;

  const byDir = new Map<string, { path: string; agentId: string }[]>();
  for (const agentId of ids) {
    const path = resolveSessionStore(store, agentId);
    const folder = await reach(dirname(path));
    if (folder.kind === "unreachable") fail(folder.reason);
    if (folder.kind !== "real") continue;
    const indexes = byDir.get(folder.path) ?? [];
    byDir.set(folder.path, [...indexes, { path, agentId }]);
  }

  const folders: (SessionsFolder & { agentId: string })[] = [];
  const shared: SharedFolder[] = [];
  for (const [dir, indexes] of byDir) {
    const [{ path, agentId }] = indexes as [{ path: string; agentId: string }];
    if (isTemplate && indexes.length === 1) folders.push({ dir, index: path, agentId });
    else shared.push({ dir, indexes, agentId: defaultAgentId, isDoubtful });
  }
  return { folders, shared, failures };
}

/** Ids of agents that are in no config any more, by what stands where the template has its first placeholder. */
async function idsOnDisk(store: string, fail: (reason: string) => void): Promise<string[]> {
  const marked = resolveSessionStore(store, "\0");
  const before = marked.slice(0, marked.indexOf("\0"));
  const dir = dirname(`${before}x`);
  const prefix = before.slice(dir.length).replace(/^[\\/]/, "");
  const [suffix = ""] = marked.slice(before.length + 1).split(/[\\/]/);
  const entries = await readdir(dir).catch((error: unknown): string[] => {
    const code = errnoOf(error);
    if (code !== "ENOENT") fail(`${dir} cannot be read (${code || String(error)})`);
    return [];
  });
  return entries
    .filter((name) => name.startsWith(prefix) && name.endsWith(suffix))
    .map((name) => name.slice(prefix.length, name.length - suffix.length))
    .filter((id) => isAgentId(id) && slugOf(id) === id);
}

/**
 * The path of the file that `session.store` names for an agent, as the host resolves it
 * (`resolveStorePath` of 2026.7.35, `resolveSessionStorePathCore` of 2026.9.6). Transcripts
 * lie beside that file.
 */
export function resolveSessionStore(
  store: string,
  agentId: string,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const expanded = store.replaceAll(PLACEHOLDER, agentId);
  if (!expanded.startsWith("~")) return resolve(expanded);
  // Without HOME the host looks for a home within the one that it has found so.
  const home = homeOf(env, () => homeOf(env, homedir));
  return resolve(expandHome(expanded, home));
}

/** OPENCLAW_HOME comes before the user's home, and may begin with it. */
function homeOf(env: NodeJS.ProcessEnv, otherwise: () => string): string {
  const home = given(env.HOME) ?? given(env.USERPROFILE) ?? termuxHome(env) ?? otherwise();
  const own = given(env.OPENCLAW_HOME);
  return resolve(own === undefined ? home : expandHome(own, home));
}

function expandHome(path: string, home: string): string {
  // A function: a home with "$&" in it would be expanded otherwise.
  return path.replace(/^~(?=$|[\\/])/, () => home);
}

function termuxHome(env: NodeJS.ProcessEnv): string | undefined {
  const prefix = given(env.PREFIX);
  if (prefix === undefined || given(env.ANDROID_DATA) === undefined) return undefined;
  return /(?:^|\/)com\.termux\/files\/usr\/?$/.test(prefix.replaceAll("\\", "/"))
    ? resolve(prefix, "..", "home")
    : undefined;
}

/** As the host reads a variable: scripts that expand an unset one leave these words. */
function given(value: string | undefined): string | undefined {
  const trimmed = value?.trim();
  return trimmed === undefined || /^(?:|undefined|null)$/.test(trimmed) ? undefined : trimmed;
}
