import { basename, dirname, resolve } from "node:path";
import { asObject, isObject, isText, parseJson } from "../../shared/json.ts";
import { readRegular } from "../../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../../shared/problem.ts";
import { parseSessionKey } from "../../shared/session-key.ts";
import { kindsOfKey } from "../../shared/session-kind.ts";
import { idsOfStem } from "../ids.ts";
import { identityOf } from "../reach.ts";
import { factsOfKey, kindsOfEntry, mergeFacts, type SessionFacts } from "../session-facts.ts";

/** What one entry of a list says of its session. */
export interface Listed {
  /** Ids, keys, labels and display names. */
  readonly names: readonly string[];
  readonly facts: SessionFacts;
}

/** What the host's `sessions.json` says of the sessions beside it. */
export interface SessionIndex {
  /** The entries of the session in `<stem>.jsonl`; none when it is not listed. */
  entriesOf(stem: string): Listed[];
  /** What is kept under a key now. */
  entryOf(key: string): Listed | undefined;
  /** Ids of the agents in whose name it is listed; none when it is not. */
  agentsOf(stem: string): string[];
  /** Ids of all agents in it. */
  readonly agentIds: ReadonlySet<string>;
  /** Why a session may be listed without being found in it, as a clause. */
  readonly gap: string | undefined;
  /** By {@link identityOf} a folder: the entries of files in it that are listed by their path. */
  readonly byFolder: ReadonlyMap<string, ByFile<Listed>>;
}

/** Values by id, in any case, and by name of a file up to `.jsonl`. */
export class ByFile<T> {
  readonly #values = new Map<string, Set<T>>();

  add(id: string, value: T): void {
    const known = this.#values.get(fold(id)) ?? new Set();
    this.#values.set(fold(id), known.add(value));
  }

  of(stem: string): T[] {
    const values = idsOfStem(stem).flatMap((id) => [...(this.#values.get(fold(id)) ?? [])]);
    return [...new Set(values)];
  }
}

export type ReadIndex =
  | { readonly kind: "index"; readonly index: SessionIndex }
  | { readonly kind: "missing" }
  /** `reason` is a clause. */
  | { readonly kind: "unreadable"; readonly reason: string };

/** Most bytes of an index that are read; the host keeps some hundred sessions in it, of some KB each. */
const MAX_INDEX_BYTES = 256 * 1024 * 1024;

/** @param agentId whose the sessions are that name no agent in their key */
export async function readSessionIndex(path: string, agentId: string): Promise<ReadIndex> {
  try {
    const store = parseJson((await readRegular(path, MAX_INDEX_BYTES)).toString("utf8"));
    if (!isObject(store)) return { kind: "unreadable", reason: `${path} is damaged` };
    return { kind: "index", index: await indexOf(store, path, agentId) };
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { kind: "missing" };
    const reason =
      error instanceof InfluxionError
        ? error.message
        : `${path} cannot be read (${errnoOf(error) || String(error)})`;
    return { kind: "unreadable", reason };
  }
}

async function indexOf(
  store: Record<string, unknown>,
  path: string,
  agentId: string,
): Promise<SessionIndex> {
  const entries = new ByFile<Listed>();
  const agents = new ByFile<string>();
  const agentIds = new Set<string>();
  const byFolder = new Map<string, ByFile<Listed>>();
  const nameOf = fileNames();
  let gap: string | undefined;
  for (const [key, value] of Object.entries(store)) {
    const entry = asObject(value);
    const agent = parseSessionKey(key)?.agentId ?? agentId;
    agentIds.add(agent);
    const called = listedAs(key, entry);
    const listed = sessionsOf(entry);
    if (listed.length === 0) gap = `${path} has an entry that names no session`;
    for (const { id, file } of listed) {
      const { folder, stem } = file === undefined ? NO_FILE : await nameOf(dirname(path), file);
      const all = id === undefined ? called : { ...called, names: [...called.names, id] };
      for (const one of [id, stem]) {
        if (one === undefined) continue;
        entries.add(one, all);
        agents.add(one, agent);
      }
      if (folder === undefined || stem === undefined) continue;
      const there = byFolder.get(folder) ?? new ByFile();
      there.add(stem, all);
      byFolder.set(folder, there);
    }
  }
  return {
    entriesOf: (stem) => entries.of(stem),
    entryOf: (key) => (Object.hasOwn(store, key) ? listedAs(key, asObject(store[key])) : undefined),
    agentsOf: (stem) => agents.of(stem),
    agentIds,
    gap,
    byFolder,
  };
}

interface FileName {
  /** {@link identityOf} its folder. */
  readonly folder: string | undefined;
  readonly stem: string | undefined;
}

const NO_FILE: FileName = { folder: undefined, stem: undefined };

/** Finds where paths of sessions' files lead; each folder is looked at once. */
function fileNames(): (from: string, path: string) => Promise<FileName> {
  const known = new Map<string, string>();
  return async (from, path) => {
    const file = resolve(from, path.replaceAll("\\", "/"));
    const dir = dirname(file);
    const folder = known.get(dir) ?? (await identityOf(dir));
    known.set(dir, folder);
    return { folder, stem: basename(file, ".jsonl") };
  };
}

/** What a user sees of a session's key in the host's lists: as it is, normalised, and as commands take it. */
export function namesOfKey(key: string): string[] {
  const parsed = parseSessionKey(key);
  if (parsed === null) return [key];
  const { agentId, rest } = parsed;
  return [...new Set([key, `agent:${agentId}:${rest}`, rest])];
}

/** What is known of a session by keys that it was kept under, and what is kept under these now. */
export function listedByKeys(keys: readonly string[], indexes: readonly SessionIndex[]): Listed[] {
  return keys.flatMap((key) => {
    const kept = indexes.flatMap((index) => index.entryOf(key) ?? []);
    const names = namesOfKey(key);
    return kept.length > 0 ? kept : [{ names, facts: factsOfKey(key, names) }];
  });
}

/** All that entries of one session say of it. */
export function mergeListed(entries: readonly Listed[]): Listed {
  return {
    names: [...new Set(entries.flatMap(({ names }) => names))],
    facts: mergeFacts(entries.map(({ facts }) => facts)),
  };
}

/** The first {@link SessionIndex.gap} of several lists. */
export function gapIn(indexes: readonly SessionIndex[]): string | undefined {
  return indexes.find(({ gap }) => gap !== undefined)?.gap;
}

function listedAs(key: string, entry: Record<string, unknown>): Listed {
  const keys = namesOfKey(key);
  return {
    names: [...keys, ...titlesOf(entry)],
    facts: {
      ownNames: [...keys, entry.label].filter(isText),
      kinds: [...kindsOfKey(key), ...kindsOfEntry(entry)],
      openKinds: [],
    },
  };
}

function titlesOf(entry: Record<string, unknown>): string[] {
  const { label, displayName, subject, groupChannel, space, origin } = entry;
  return [label, displayName, subject, groupChannel, space, asObject(origin).label].filter(isText);
}

interface ListedSession {
  readonly id: string | undefined;
  /** Path of its file, as it is written. */
  readonly file: string | undefined;
}

/** The session and, where the host remembers them, those it was before. */
function sessionsOf(entry: Record<string, unknown>): ListedSession[] {
  const checkpoints = Array.isArray(entry.compactionCheckpoints)
    ? entry.compactionCheckpoints.map(asObject)
    : [];
  const family = Array.isArray(entry.usageFamilySessionIds) ? entry.usageFamilySessionIds : [];
  const places = [
    entry,
    ...checkpoints.flatMap((one) => [
      one,
      asObject(one.preCompaction),
      asObject(one.postCompaction),
    ]),
    ...[entry.previousSessionId, ...family].map((sessionId) => ({ sessionId })),
  ];
  return places
    .map(({ sessionId, sessionFile }: Record<string, unknown>) => ({
      id: named(sessionId),
      file: named(sessionFile),
    }))
    .filter(({ id, file }) => id !== undefined || file !== undefined);
}

const named = (value: unknown): string | undefined =>
  isText(value) && value !== "" ? value : undefined;

/** The file system may not distinguish them. */
const fold = (id: string): string => id.normalize("NFC").toLowerCase();
