import { createHash } from "node:crypto";
import { lstatSync, type Stats, statSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { setImmediate } from "node:timers/promises";
import { errnoOf, type Problem, StoreError } from "../../problem.ts";
import type { Listing, Stream } from "../store.ts";
import { classifyName, type NameKind } from "./names.ts";

/** Rank of the file that is written to; it comes after every date. */
export const LIVE_RANK = "~";

/** Event-loop time one slice of `stat` calls may take, in ms. */
const SLICE_MS = 2;

/** Finds the streams in one `sessions/` folder by name and `stat` alone. */
export async function listSessions(
  agentId: string,
  dir: string,
  signal?: AbortSignal,
): Promise<Listing> {
  const streams: Stream[] = [];
  const problems: Problem[] = [];
  await lookAtAll({ agentId, dir, signal }, (name, kind, look) => {
    if (typeof look === "string") {
      problems.push({ code: "ENTRY_SKIPPED", agentId, message: `${name}: ${look}` });
    } else {
      streams.push({
        agentId,
        sessionId: kind.sessionId,
        source: name,
        rank: kind.kind === "live" ? LIVE_RANK : kind.at,
        bytes: look.size,
        changedAt: look.mtimeMs,
        signature: `${look.ino}:${look.size}:${look.mtimeMs}`,
      });
    }
  });
  return { streams, problems };
}

/** Equal between two looks only if {@link listSessions} would find the same, for two thirds of its CPU. */
export async function markSessions(
  agentId: string,
  dir: string,
  signal?: AbortSignal,
): Promise<string> {
  const names: string[] = [];
  const numbers: number[] = [];
  await lookAtAll({ agentId, dir, signal }, (name, _kind, look) => {
    names.push(name);
    if (typeof look === "string") names.push(look);
    else numbers.push(look.ino, look.size, look.mtimeMs);
  });
  return createHash("sha256")
    .update(JSON.stringify(names))
    .update(Float64Array.from(numbers))
    .digest("hex");
}

type SessionName = Exclude<NameKind, { kind: "other" }>;

/** Stats, or why an entry is left out. */
type Look = Stats | string;

/**
 * Calls `onEntry` for all that is named like a session. `stat` runs synchronously in
 * short slices: it costs a tenth of the CPU of the promise form and leaves the thread
 * pool, which the whole Gateway shares, alone.
 */
async function lookAtAll(
  { agentId, dir, signal }: { agentId: string; dir: string; signal: AbortSignal | undefined },
  onEntry: (name: string, kind: SessionName, look: Look) => void,
): Promise<void> {
  let slice = performance.now();
  for (const name of await entriesOf(agentId, dir)) {
    const kind = classifyName(name);
    if (kind.kind === "other") continue;
    if (performance.now() - slice > SLICE_MS) {
      await setImmediate();
      signal?.throwIfAborted();
      slice = performance.now();
    }
    const look = lookAt(dir, name);
    // Awaiting what is there already would cost as much as the look.
    const found = look instanceof Promise ? await look : look;
    if (found !== null) onEntry(name, kind, found);
  }
}

async function entriesOf(agentId: string, dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    const reason = errnoOf(error) || String(error);
    throw new StoreError(
      "FOLDER_UNREADABLE",
      `the sessions folder of agent ${agentId} cannot be read (${reason}): ${dir}; give the user that runs OpenClaw read access to it`,
      { cause: error },
    );
  }
}

/** Null when the entry vanished in between. */
function lookAt(dir: string, name: string): Look | null | Promise<Look | null> {
  // Not `join`, which would take longer than the look itself.
  const path = `${dir}${sep}${name}`;
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    if (stats === undefined) return null;
    if (stats.isFile()) return stats;
    if (stats.isDirectory()) return "a folder, not a session";
    if (!stats.isSymbolicLink()) return "not a regular file";
  } catch (error) {
    return whyNot(error);
  }
  return lookBehind(dir, path).catch(whyNot);
}

async function lookBehind(dir: string, link: string): Promise<Look> {
  const [target, root] = await Promise.all([realpath(link), realpath(dir)]);
  if (!target.startsWith(root + sep)) return "a symlink that leads out of the sessions folder";
  const stats = statSync(target);
  return stats.isFile() ? stats : "a symlink to something that is not a file";
}

function whyNot(error: unknown): string | null {
  if (errnoOf(error) === "ENOENT") return null;
  return `cannot be looked at (${errnoOf(error) || String(error)})`;
}
