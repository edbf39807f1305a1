import { lstat, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../shared/problem.ts";

/** What a path leads to, through links. */
export type Reached =
  | { readonly kind: "real"; readonly path: string }
  | { readonly kind: "missing" }
  /** Something is there and leads nowhere, or the way to it is barred; `reason` is a clause. */
  | { readonly kind: "unreachable"; readonly reason: string };

export async function reach(path: string): Promise<Reached> {
  try {
    return { kind: "real", path: await realpath(path) };
  } catch (error) {
    const code = errnoOf(error);
    if (code === "ENOENT" || code === "ENOTDIR") return missing(path);
    return { kind: "unreachable", reason: `${path} cannot be reached (${code || String(error)})` };
  }
}

/**
 * What is missing behind a link that leads nowhere is not simply missing, for a disk may not
 * be mounted; nor is what should be in a folder that is something else.
 */
async function missing(path: string): Promise<Reached> {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    const link = await lstat(at).catch(() => null);
    if (link === null) continue;
    const target = link.isSymbolicLink() ? await stat(at).catch(() => null) : link;
    if (target === null)
      return { kind: "unreachable", reason: `${at} is a link that leads nowhere` };
    if (at === path || target.isDirectory()) break;
    return { kind: "unreachable", reason: `${at} is not a folder` };
  }
  return { kind: "missing" };
}

/** What distinguishes a place from others, also when links, mounts or hard links lead there by several paths. */
export async function identityOf(path: string): Promise<string> {
  const stats = await stat(path, { bigint: true }).catch(() => null);
  // Some file systems number nothing.
  return stats === null || stats.ino === 0n ? path : `${stats.dev}:${stats.ino}`;
}
