import { lstat, realpath, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { errnoOf } from "../problem.ts";

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
    if (code !== "ENOENT" && code !== "ENOTDIR") {
      return {
        kind: "unreachable",
        reason: `${path} cannot be reached (${code || String(error)})`,
      };
    }
  }
  const link = await danglingLink(path);
  return link === null
    ? { kind: "missing" }
    : { kind: "unreachable", reason: `${link} is a link that leads nowhere` };
}

/** What is missing behind such a link is not simply missing: a disk may not be mounted. */
async function danglingLink(path: string): Promise<string | null> {
  for (let at = path; at !== dirname(at); at = dirname(at)) {
    const link = await lstat(at).catch(() => null);
    if (link === null) continue;
    const target = link.isSymbolicLink() ? await stat(at).catch(() => null) : link;
    return target === null ? at : null;
  }
  return null;
}
