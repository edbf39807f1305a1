import { errnoOf } from "../../shared/problem.ts";
import { isSessionId } from "../../shared/session-id.ts";
import { readNames } from "../names.ts";

/**
 * What the host makes of a session's file when the session is deleted, by a user or by its own
 * upkeep: `<id>.jsonl.deleted.<time>` and, where sessions are in a database,
 * `<id>.jsonl.deleted.<time>.<generation>.zst`.
 */
const DELETED =
  /^(.+)\.jsonl\.deleted\.(\d{4}-\d{2}-\d{2})T(\d{2})-(\d{2})-(\d{2})(?:[.-](\d+))?Z(?:\.[0-9a-f]+\.zst)?$/s;

/**
 * The sessions of which there is such a file in one of these folders, and when they were deleted
 * last, in ms since the epoch.
 *
 * @throws the `ErrnoException` of `readdir`
 */
export async function deletedIn(folders: readonly string[]): Promise<Map<string, number>> {
  const deleted = new Map<string, number>();
  for (const dir of folders) {
    for (const name of await namesIn(dir)) {
      const [, id, day, hour, minute, second, fraction = "0"] = DELETED.exec(name) ?? [];
      if (id === undefined || !isSessionId(id)) continue;
      const at = Date.parse(`${day}T${hour}:${minute}:${second}.${fraction.slice(0, 3)}Z`);
      if (at > (deleted.get(id) ?? 0)) deleted.set(id, at);
    }
  }
  return deleted;
}

async function namesIn(dir: string): Promise<readonly string[]> {
  try {
    return (await readNames(dir)).names;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw error;
  }
}
