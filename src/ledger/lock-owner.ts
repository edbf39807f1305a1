import { renameSync, rmSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import * as v from "valibot";
import { readRegular } from "../shared/open-file.ts";

const OwnerSchema = v.object({
  pid: v.number(),
  host: v.string(),
  role: v.picklist(["gateway", "command"]),
  /** ISO 8601 */
  since: v.string(),
});
type KnownOwner = v.InferOutput<typeof OwnerSchema>;

/** Who uploads, for people to read; nothing is ever decided by it. */
export type LockOwner = KnownOwner | typeof UNKNOWN_OWNER;

/** Somebody has the lock, and has not said who it is. */
export const UNKNOWN_OWNER = { pid: null, host: null, role: "unknown", since: null } as const;

/** "the Gateway (pid 12) has been uploading since …" */
export function describeOwner(owner: LockOwner): string {
  if (owner.role === "unknown") return "another process is uploading";
  const who = owner.role === "gateway" ? "the Gateway" : "another command";
  const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return `${who} (pid ${owner.pid}${where}) has been uploading since ${owner.since}`;
}

/**
 * Writes down that this process has the lock, for its holder to do at once: until then the file may
 * name one that was killed. Best effort; where nothing can be written, nobody is named.
 */
export function writeOwner(stateDir: string, role: KnownOwner["role"]): void {
  const path = ownerPath(stateDir);
  const temp = `${path}.tmp`;
  const owner: KnownOwner = {
    pid: process.pid,
    host: hostname(),
    role,
    since: new Date().toISOString(),
  };
  try {
    rmSync(temp, { force: true });
    writeFileSync(temp, `${JSON.stringify(owner)}\n`, { flag: "wx", mode: 0o600 });
    renameSync(temp, path);
  } catch {
    removeOwner(stateDir);
  }
}

/** For the holder of the lock, before it gives it back. Best effort. */
export function removeOwner(stateDir: string): void {
  try {
    rmSync(ownerPath(stateDir), { force: true });
  } catch {
    // Whoever takes the lock next writes its own.
  }
}

/** What the file says, or null when it says nothing. */
export async function readOwner(stateDir: string): Promise<KnownOwner | null> {
  try {
    const text = (await readRegular(ownerPath(stateDir))).toString("utf8");
    const parsed = v.safeParse(OwnerSchema, JSON.parse(text));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

function ownerPath(stateDir: string): string {
  return join(stateDir, "influxion", "uploads.owner.json");
}
