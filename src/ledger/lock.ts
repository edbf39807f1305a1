import { readFile, rmdir, stat, utimes } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as v from "valibot";
import { InfluxionError } from "../problem.ts";
import { unwritable } from "./files.ts";

/** How often a holder shows that it lives, in ms. */
const BEAT_MS = 30_000;

/** A holder that cannot be looked at directly counts as dead after this long without a beat, in ms. */
const SILENT_MS = 5 * 60_000;

/** Taking a lock, or a dead holder's lock over, lasts milliseconds: what is half done for this long was killed, in ms. */
const HALF_DONE_MS = 10_000;

/** How often a waiting caller looks again, in ms. */
const WAIT_STEP_MS = 500;

const OwnerSchema = v.object({
  pid: v.number(),
  host: v.string(),
  /** What the kernel knows of when the process began; tells a reused pid. "" where it is not known. */
  born: v.string(),
  role: v.picklist(["gateway", "command"]),
  /** ISO 8601 */
  since: v.string(),
});
export type LockOwner = v.InferOutput<typeof OwnerSchema>;

/** Another process is uploading. */
export class LockedError extends InfluxionError {
  readonly owner: LockOwner | null;

  constructor(owner: LockOwner | null) {
    super("LOCKED", `${describeOwner(owner)}; only one uploads at a time`);
    this.owner = owner;
  }
}

export interface LockOptions {
  readonly stateDir: string;
  readonly role: LockOwner["role"];
  /** How long to wait for another holder, in ms. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Told once when there is somebody to wait for. */
  readonly onWait?: (owner: LockOwner | null) => void;
}

/**
 * Takes the right to upload from this state directory, across processes. Disposing gives it back.
 * @throws {LockedError} when somebody alive holds it for longer than `waitMs`
 * @throws {LedgerError} `LEDGER_UNWRITABLE` when no lock can be made there
 */
export async function takeLock(options: LockOptions): Promise<AsyncDisposable> {
  const { stateDir, role, waitMs, signal, onWait } = options;
  const deadline = performance.now() + waitMs;
  for (let waited = false; ; waited = true) {
    signal.throwIfAborted();
    const lock = await tryLock(stateDir, role);
    if (lock !== null) return lock;
    const owner = await lockOwner(stateDir);
    if (performance.now() >= deadline) throw new LockedError(owner);
    if (!waited) onWait?.(owner);
    await sleep(WAIT_STEP_MS, undefined, { signal });
  }
}

/** Who holds the lock now, or null. Does not take, wait for or clean up anything. */
export async function lockOwner(stateDir: string): Promise<LockOwner | null> {
  const path = lockPath(stateDir);
  const text = await readFile(path, "utf8").catch(() => "");
  const owner = parseOwner(text);
  return owner === null || (await isDead(owner, path)) ? null : owner;
}

/** "the Gateway (pid 12) has been uploading since …" */
export function describeOwner(owner: LockOwner | null): string {
  if (owner === null) return "another process is uploading";
  const who = owner.role === "gateway" ? "the Gateway" : "another command";
  const where = owner.host === hostname() ? "" : ` on ${owner.host}`;
  return `${who} (pid ${owner.pid}${where}) has been uploading since ${owner.since}`;
}

async function tryLock(stateDir: string, role: LockOwner["role"]): Promise<AsyncDisposable | null> {
  const path = lockPath(stateDir);
  await removeDeadGuard(path);
  // Loaded by whoever takes the lock; neither `status` nor the thread of a run does.
  const { acquireFileLock } = await import("@openclaw/fs-safe/file-lock");
  try {
    const handle = await acquireFileLock(join(stateDir, "influxion", "uploads"), {
      lockPath: path,
      managerKey: "influxion",
      // One more look after a dead owner's lock has been removed.
      retry: { retries: 2, minTimeout: 10, maxTimeout: 10 },
      payload: () => self(role),
      staleRecovery: "remove-if-unchanged",
      shouldReclaim: async ({ payload, heldByThisProcess }) =>
        !heldByThisProcess && (await isAbandoned(payload, path)),
      shouldRemoveStaleLock: ({ payload }) => isAbandoned(payload, path),
    });
    const beat = setInterval(() => {
      const now = new Date();
      utimes(path, now, now).catch(() => undefined);
    }, BEAT_MS);
    beat.unref();
    return {
      async [Symbol.asyncDispose]() {
        clearInterval(beat);
        await handle.release();
      },
    };
  } catch (error) {
    if (error instanceof Error && "code" in error && isContention(error.code)) return null;
    throw unwritable("the lock that keeps two uploads apart cannot be made", path, error);
  }
}

/** A lock file of another form was cut off while it was written: nobody is behind it once it is old. */
async function isAbandoned(payload: unknown, path: string): Promise<boolean> {
  const owner = v.safeParse(OwnerSchema, payload);
  return owner.success ? isDead(owner.output, path) : isSilent(path, HALF_DONE_MS);
}

/**
 * Removes the guard of a take-over that was killed half-way, which the lock
 * library leaves to its callers. A take-over lasts milliseconds.
 */
async function removeDeadGuard(path: string): Promise<void> {
  const guard = `${path}.reclaim`;
  const isThere = await stat(guard).catch(() => null);
  if (isThere !== null && (await isSilent(guard, HALF_DONE_MS)))
    await rmdir(guard).catch(() => undefined);
}

function isContention(code: unknown): boolean {
  return code === "file_lock_timeout" || code === "file_lock_stale";
}

function lockPath(stateDir: string): string {
  return join(stateDir, "influxion", "uploads.lock");
}

async function self(role: LockOwner["role"]): Promise<LockOwner> {
  const since = new Date().toISOString();
  return { pid: process.pid, host: hostname(), born: await bornOf(process.pid), role, since };
}

async function isDead(owner: LockOwner, path: string): Promise<boolean> {
  if (owner.host !== hostname()) return isSilent(path, SILENT_MS);
  // Our own pid, yet not held by this process: a restarted container gives out the same pids.
  if (!isAlive(owner.pid)) return true;
  const born = await bornOf(owner.pid);
  return owner.born === "" || born === "" ? isSilent(path, SILENT_MS) : owner.born !== born;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it is there, and somebody else's.
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}

/** Boot id and start time in ticks after boot (proc_pid_stat(5), field 22); "" where there is no /proc. */
async function bornOf(pid: number): Promise<string> {
  try {
    const boot = await readFile("/proc/sys/kernel/random/boot_id", "utf8");
    const line = await readFile(`/proc/${pid}/stat`, "utf8");
    // The command's name may hold spaces and parentheses; the fields after it do not.
    const fields = line.slice(line.lastIndexOf(")") + 2).split(" ");
    return `${boot.trim()}:${fields[19] ?? ""}`;
  } catch {
    return "";
  }
}

async function isSilent(path: string, ms: number): Promise<boolean> {
  try {
    const { mtimeMs } = await stat(path);
    return Math.abs(Date.now() - mtimeMs) > ms;
  } catch {
    return true;
  }
}

function parseOwner(text: string): LockOwner | null {
  try {
    const parsed = v.safeParse(OwnerSchema, JSON.parse(text));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}
