import { lstatSync, type Stats, statSync } from "node:fs";
import { readdir, realpath } from "node:fs/promises";
import { sep } from "node:path";
import { setImmediate } from "node:timers/promises";
import { errnoOf, type Problem, StoreError } from "../../problem.ts";
import type { Listing, Stream } from "../store.ts";
import { classifyName } from "./names.ts";

/** Rank of the file that is written to; it comes after every date. */
export const LIVE_RANK = "~";

/** Event-loop time one slice of `stat` calls may take, in ms. */
const SLICE_MS = 2;

/**
 * Finds the streams in one `sessions/` folder by name and `stat` alone.
 * `stat` runs synchronously in short slices: it costs a tenth of the CPU of the
 * promise form and leaves the thread pool, which the whole Gateway shares, alone.
 */
export async function listSessions(
  agentId: string,
  dir: string,
  signal?: AbortSignal,
): Promise<Listing> {
  const streams: Stream[] = [];
  const problems: Problem[] = [];
  let slice = performance.now();
  for (const name of await entriesOf(agentId, dir)) {
    const kind = classifyName(name);
    if (kind.kind === "other") continue;
    if (performance.now() - slice > SLICE_MS) {
      await setImmediate();
      signal?.throwIfAborted();
      slice = performance.now();
    }
    const look = await lookAt(dir, name);
    if (typeof look === "string") {
      problems.push({ code: "ENTRY_SKIPPED", agentId, message: `${name}: ${look}` });
    } else if (look !== null) {
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
  }
  return { streams, problems };
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

/** The entry's stats, why it is left out, or null when it vanished in between. */
async function lookAt(dir: string, name: string): Promise<Stats | string | null> {
  // Not `join`, which would take longer than the look itself.
  const path = `${dir}${sep}${name}`;
  try {
    const stats = lstatSync(path);
    if (stats.isFile()) return stats;
    if (stats.isDirectory()) return "a folder, not a session";
    if (!stats.isSymbolicLink()) return "not a regular file";
    const [target, root] = await Promise.all([realpath(path), realpath(dir)]);
    if (!target.startsWith(root + sep)) return "a symlink that leads out of the sessions folder";
    const targetStats = statSync(target);
    return targetStats.isFile() ? targetStats : "a symlink to something that is not a file";
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return null;
    return `cannot be looked at (${errnoOf(error) || String(error)})`;
  }
}
