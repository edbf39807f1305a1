import { createHash } from "node:crypto";
import { lstatSync, type Stats } from "node:fs";
import { sep } from "node:path";
import { setImmediate } from "node:timers/promises";
import { errnoOf, type Problem, StoreError } from "../../shared/problem.ts";
import { type Names, readNames } from "../names.ts";
import { liveFile } from "../sources.ts";
import type { Listing, Stream } from "../store.ts";
import type { FactsOf, FileFacts } from "./facts.ts";
import { classifyName, type SessionName } from "./names.ts";

/** Rank of the file that is written to; it comes after every date. */
export const LIVE_RANK = "~";

/** Event-loop time one slice of `lstat` calls may take, in ms. */
const SLICE_MS = 1;

/** Names that are hashed at once, a quarter of a ms. */
const HASHED_NAMES = 1000;

/** How often names that changed meanwhile are looked at again. */
const MAX_ROUNDS = 5;

export interface FolderOptions {
  readonly agentId: string;
  readonly dir: string;
  readonly factsOf: FactsOf;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Finds the streams in one `sessions/` folder by name and `lstat` alone. The names are read
 * again at the end: a file that was renamed meanwhile had one name too late, and the other
 * too early. What is opened later is compared with what was seen here.
 */
export async function listFolder(options: FolderOptions): Promise<Listing> {
  const { agentId, dir, factsOf, signal } = options;
  const { found, failures } = await lookAtFolder(options);
  const listing: Listing = { streams: [], problems: [], failures };
  const pause = pauses(signal);
  for (const [name, { kind, look }] of found) {
    const paused = pause();
    if (paused !== undefined) await paused;
    if (!isSession(name)) continue;
    const facts = factsOf(kind.sessionId);
    if (!facts.isOurs) continue;
    if (kind.kind === "misnamed") {
      const message = `${JSON.stringify(name)} is not named as OpenClaw names a session, and is not sent; rename it, or move it out of the sessions folder`;
      listing.problems.push({ code: "ENTRY_SKIPPED", agentId, message });
    } else if ("ino" in look) {
      listing.streams.push(streamOf(agentId, `${dir}${sep}${name}`, name, kind, look, facts));
    } else {
      const message = `${name}: ${look.reason}`;
      if (look.failed) failures.push({ code: "ENTRY_UNREADABLE", agentId, message });
      else listing.problems.push({ code: "ENTRY_SKIPPED", agentId, message });
    }
  }
  return listing;
}

/** Equal between two scans only if {@link listFolder} would find the same. @throws {StoreError} */
export async function markFolder(dir: string, signal?: AbortSignal): Promise<string> {
  const { names, broken } = await namesIn("", dir);
  const hash = createHash("sha256");
  let seen: string[] = [...broken];
  let numbers: number[] = [];
  const hashSeen = (): void => {
    hash.update(JSON.stringify(seen)).update(Float64Array.from(numbers));
    seen = [];
    numbers = [];
  };
  await lookAt({ agentId: "", dir, signal }, names, (name, look) => {
    seen.push(name);
    if ("ino" in look) numbers.push(look.ino, look.size, look.mtimeMs);
    else seen.push(look.reason);
    // In pieces: all of a large folder at once would hold up the event loop.
    if (seen.length >= HASHED_NAMES) hashSeen();
  });
  hashSeen();
  return hash.digest("hex");
}

function streamOf(
  agentId: string,
  path: string,
  source: string,
  kind: Exclude<SessionName, { kind: "misnamed" }>,
  { ino, size, mtimeMs }: Seen,
  { names, facts, namesUnknown, agentUnknown }: FileFacts,
): Stream {
  return {
    agentId,
    sessionId: kind.sessionId,
    source,
    rank: kind.kind === "live" ? LIVE_RANK : kind.at,
    bytes: size,
    changedAt: mtimeMs,
    signature: `${ino}:${size}:${mtimeMs}`,
    ...(kind.kind === "live" ? {} : { renamedFrom: liveFile(kind.sessionId) }),
    names,
    facts,
    namesUnknown,
    agentUnknown,
    file: { path, inode: ino },
  };
}

/** What is needed of the stats, which are several times as large. */
type Seen = Pick<Stats, "ino" | "size" | "mtimeMs">;

/** What was seen, or why an entry is left out; `failed` when it could not be looked at. */
type Look = Seen | { readonly reason: string; readonly failed: boolean };

type Found = Map<string, { readonly kind: SessionName; readonly look: Look }>;

async function lookAtFolder(
  options: FolderOptions,
): Promise<{ found: Found; failures: Problem[] }> {
  const { agentId, dir } = options;
  const found: Found = new Map();
  const add = (name: string, look: Look): unknown =>
    found.set(name, { kind: classifyName(name) as SessionName, look });
  let { names, broken } = await namesIn(agentId, dir);
  let due = names;
  for (let round = 1; ; round++) {
    await lookAt(options, due, add);
    const before = names;
    ({ names, broken } = await namesIn(agentId, dir));
    due = changedSessions(before, names);
    if (due.length === 0) return { found, failures: brokenNames(agentId, dir, broken) };
    for (const name of due) found.delete(name);
    if (round === MAX_ROUNDS) break;
  }
  const message = `files in ${dir} are renamed faster than they can be listed, so sessions may be missing; they are looked for again in the next run`;
  const failures: Problem[] = [{ code: "FOLDER_UNSTABLE", agentId, message }];
  return { found, failures: [...failures, ...brokenNames(agentId, dir, broken)] };
}

/** All names of the sessions of which a name came or went, also those that went: they are not there any more. */
function changedSessions(before: readonly string[], after: readonly string[]): string[] {
  if (before.length === after.length && before.every((name, at) => name === after[at])) return [];
  const [old, now] = [new Set(before), new Set(after)];
  const changed = new Set<string>();
  for (const name of [...before, ...after]) {
    if (old.has(name) === now.has(name)) continue;
    const kind = classifyName(name);
    if (kind.kind !== "other") changed.add(kind.sessionId);
  }
  return [...new Set([...before, ...after])].filter((name) => {
    const kind = classifyName(name);
    return kind.kind !== "other" && changed.has(kind.sessionId);
  });
}

const isSession = (name: string): boolean => classifyName(name).kind !== "other";

/**
 * Calls `onEntry` for all of `names` that are there and name a session. `lstat` runs synchronously in short
 * slices: it costs a tenth of the CPU of the promise form and leaves the thread pool,
 * which the whole Gateway shares, alone.
 */
async function lookAt(
  { agentId, dir, signal }: Omit<FolderOptions, "factsOf">,
  names: readonly string[],
  onEntry: (name: string, look: Look) => void,
): Promise<void> {
  const pause = pauses(signal);
  for (const name of names) {
    // Awaiting nothing would cost as much as the look.
    const paused = pause();
    if (paused !== undefined) await paused;
    if (!isSession(name)) continue;
    // Not `join`, which would take longer than the look itself.
    const look = lookAtEntry(agentId, dir, `${dir}${sep}${name}`);
    if (look !== null) onEntry(name, look);
  }
}

/** Lets others have their turn at first, since reading a large folder has taken some ms, and after each slice of time. */
function pauses(signal: AbortSignal | undefined): () => Promise<void> | undefined {
  let slice = Number.NEGATIVE_INFINITY;
  return () => {
    if (performance.now() - slice <= SLICE_MS) return undefined;
    return setImmediate().then(() => {
      signal?.throwIfAborted();
      slice = performance.now();
    });
  };
}

async function namesIn(agentId: string, dir: string): Promise<Names> {
  try {
    return await readNames(dir);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return { names: [], broken: [] };
    throw unreadable(agentId, dir, errnoOf(error) || String(error), error);
  }
}

/** Null when the entry vanished in between. */
function lookAtEntry(agentId: string, dir: string, path: string): Look | null {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    const { ino, size, mtimeMs } = stats;
    if (stats.isFile()) return { ino, size, mtimeMs };
    return { reason: kindOf(stats), failed: false };
  } catch (error) {
    const code = errnoOf(error);
    // About the folder, which can be listed but not entered: it would be said of each file in it.
    if (code === "EACCES" || code === "EPERM") {
      throw unreadable(agentId, dir, `${code}, it can be listed but not entered`, error);
    }
    return { reason: `cannot be looked at (${code || String(error)})`, failed: true };
  }
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return "a folder, not a session";
  return stats.isSymbolicLink() ? "a symlink, which is not followed" : "not a regular file";
}

function unreadable(agentId: string, dir: string, reason: string, cause: unknown): StoreError {
  return new StoreError(
    "FOLDER_UNREADABLE",
    `the sessions folder of agent ${agentId} cannot be read (${reason}): ${dir}; give the user that runs OpenClaw read access to it`,
    { cause },
  );
}

function brokenNames(agentId: string, dir: string, broken: readonly string[]): Problem[] {
  return broken.filter(isSession).map((name) => ({
    code: "NAME_NOT_UTF8",
    agentId,
    message: `the name of ${name} is not UTF-8, so the session in it cannot be named and is not sent; rename it: ${dir}`,
  }));
}
