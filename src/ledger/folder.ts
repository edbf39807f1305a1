import { lstat, stat } from "node:fs/promises";
import { errnoOf } from "../shared/problem.ts";

/**
 * What stands where the plugin's folder should be and is none, with what to do; null for a folder,
 * a link to one, and nothing at all, which is what there is before the first run.
 */
export async function describeObstacle(folder: string): Promise<string | null> {
  const found = await lstat(folder).catch(() => null);
  if (found === null || found.isDirectory()) return null;
  if (!found.isSymbolicLink()) return `${folder} is no folder; move it away`;
  try {
    if ((await stat(folder)).isDirectory()) return null;
    return `${folder} is a link to what is no folder; remove the link`;
  } catch (error) {
    if (!["ENOENT", "ENOTDIR", "ELOOP"].includes(errnoOf(error))) return null;
    return `${folder} is a link that leads nowhere; bring back what it leads to, or remove the link`;
  }
}
