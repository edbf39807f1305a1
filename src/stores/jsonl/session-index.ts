import { basename } from "node:path";
import { normalizeAgentId } from "../../shared/agent-id.ts";
import { readRegular } from "../../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../../shared/problem.ts";

/** What the host's `sessions.json` says of the sessions beside it. */
export interface SessionIndex {
  /** Keys, labels and display names of the session in `<stem>.jsonl`. */
  namesOf(stem: string): string[];
  /** The same of the session that is kept under a key now. */
  titlesOf(key: string): string[];
  /** Ids of the agents in whose name it is listed; none when it is not. */
  agentsOf(stem: string): string[];
  /** Ids of all agents in it. */
  readonly agentIds: ReadonlySet<string>;
}

export type ReadIndex =
  | { readonly kind: "index"; readonly index: SessionIndex }
  | { readonly kind: "missing" }
  /** `reason` is a clause. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** Most bytes of an index that are read; the host keeps some hundred sessions in it, of some KB each. */
const MAX_INDEX_BYTES = 256 * 1024 * 1024;

/** A topic of a chat has a file of its own: `<id>-topic-<topic>.jsonl`. */
const TOPIC = /^(.+?)-topic-.+$/s;

/** A session that a compaction began anew: `<time>_<id>.jsonl`. */
const SUCCESSOR = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}-\d{3}Z_(.+)$/s;

/** @param agentId whose the sessions are that name no agent in their key */
export async function readSessionIndex(path: string, agentId: string): Promise<ReadIndex> {
  let text: string;
  try {
    const bytes = await readRegular(path, MAX_INDEX_BYTES);
    text = bytes.toString("utf8");
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { kind: "missing" };
    const reason =
      error instanceof InfluxionError
        ? error.message
        : `${path} cannot be read (${errnoOf(error) || String(error)})`;
    return { kind: "unreadable", reason };
  }
  const store = parse(text);
  if (store === null) return { kind: "unreadable", reason: `${path} is damaged` };
  return { kind: "index", index: indexOf(store, agentId) };
}

function indexOf(store: Record<string, unknown>, agentId: string): SessionIndex {
  const names = new Map<string, Set<string>>();
  const agents = new Map<string, Set<string>>();
  const agentIds = new Set<string>();
  for (const [key, value] of Object.entries(store)) {
    const entry = asRecord(value);
    const ids = idsOf(entry);
    if (ids.size === 0) continue;
    const agent = agentOfKey(key) ?? agentId;
    agentIds.add(agent);
    for (const id of ids) {
      addAll(names, id, [...namesOfKey(key), ...titlesOf(entry)]);
      addAll(agents, id, [agent]);
    }
  }
  const find = (map: Map<string, Set<string>>, stem: string): string[] => [
    ...new Set(idsOfStem(stem).flatMap((id) => [...(map.get(id) ?? [])])),
  ];
  return {
    namesOf: (stem) => find(names, stem),
    titlesOf: (key) => (Object.hasOwn(store, key) ? titlesOf(asRecord(store[key])) : []),
    agentsOf: (stem) => find(agents, stem),
    agentIds,
  };
}

/** What a user sees of a session in the host's lists: its key, whole and as commands take it, and its titles. */
export function namesOfKey(key: string): string[] {
  const short = /^agent:[^:]+:(.+)$/s.exec(key)?.[1];
  return short === undefined ? [key] : [key, short];
}

function titlesOf(entry: Record<string, unknown>): string[] {
  const { label, displayName, subject, groupChannel, space, origin } = entry;
  return [label, displayName, subject, groupChannel, space, asRecord(origin).label].filter(isText);
}

/** Ids and file names of the session and, where the host remembers them, of those it was before. */
function idsOf(entry: Record<string, unknown>): Set<string> {
  const checkpoints = Array.isArray(entry.compactionCheckpoints)
    ? entry.compactionCheckpoints.map(asRecord)
    : [];
  const places = checkpoints.flatMap((one) => [
    one,
    asRecord(one.preCompaction),
    asRecord(one.postCompaction),
  ]);
  const family = Array.isArray(entry.usageFamilySessionIds) ? entry.usageFamilySessionIds : [];
  const ids = [entry.previousSessionId, ...family];
  for (const { sessionId, sessionFile } of [entry, ...places]) {
    ids.push(sessionId);
    if (isText(sessionFile)) ids.push(basename(sessionFile.replaceAll("\\", "/"), ".jsonl"));
  }
  return new Set(ids.filter(isText).filter((id) => id !== ""));
}

function idsOfStem(stem: string): string[] {
  const ids = [stem, TOPIC.exec(stem)?.[1], SUCCESSOR.exec(stem)?.[1]];
  return ids.filter((id) => id !== undefined);
}

/** The agent that a key names, if it does. */
export function agentOfKey(key: string): string | undefined {
  const agent = /^agent:([^:]+):/.exec(key)?.[1];
  return agent === undefined ? undefined : normalizeAgentId(agent);
}

function addAll(map: Map<string, Set<string>>, id: string, values: readonly string[]): void {
  const known = map.get(id) ?? new Set();
  for (const value of values) known.add(value);
  map.set(id, known);
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    return isObject ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

const isText = (value: unknown): value is string => typeof value === "string";

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}
