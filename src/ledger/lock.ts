import { mkdir, rmdir, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type FileLock, isFileLocked, tryLockFile } from "../shared/file-lock.ts";
import { InfluxionError, LockedError } from "../shared/problem.ts";
import { LedgerError, unwritable } from "./files.ts";
import { describeObstacle } from "./folder.ts";
import {
  describeOwner,
  type LockOwner,
  readOwner,
  removeOwner,
  UNKNOWN_OWNER,
  writeOwner,
} from "./lock-owner.ts";

export { describeOwner, type LockOwner } from "./lock-owner.ts";

/** How often a waiting caller tries again, in ms. */
const WAIT_STEP_MS = 500;

/** So long a lock that nobody has is tried for, in ms: others may ask for it, or try, in the same instant. */
const CONTENTION_MS = 2_000;

/** A new owner is named within this time, in ms, and asked for it this often. */
const NAMED_WITHIN_MS = 200;
const NAMED_STEP_MS = 20;

export interface LockOptions {
  readonly stateDir: string;
  readonly role: "gateway" | "command";
  /** How long to wait for another holder, in ms. */
  readonly waitMs: number;
  readonly signal: AbortSignal;
  /** Called once when there is somebody to wait for. */
  readonly onWait?: (owner: LockOwner) => void;
}

/** The right to upload from a state directory. Keep a reference: a lock that is garbage is released. */
export interface Lock extends AsyncDisposable {
  /**
   * To be awaited before each write of what only the holder may write.
   * @throws {LedgerError} `LOCK_LOST` when the lock's file was deleted or replaced, so that another process can have it as well
   */
  assertHeld(): Promise<void>;
}

/**
 * Takes the right to upload from this state directory, across processes, containers and namespaces.
 * Disposing gives it back, and so does the end of the thread or the process.
 *
 * @throws {LockedError} when somebody holds it for longer than `waitMs`
 * @throws {LedgerError} `LEDGER_UNWRITABLE` when no lock can be made there
 * @throws the signal's reason
 */
export async function takeLock(options: LockOptions): Promise<Lock> {
  const { stateDir, role, waitMs, signal, onWait } = options;
  const start = performance.now();
  for (let isAnnounced = false; ; ) {
    signal.throwIfAborted();
    const file = await tryLock(lockPath(stateDir));
    if (file !== null) {
      writeOwner(stateDir, role);
      await removeEarlierLock(stateDir);
      return new HeldLock(stateDir, file);
    }
    const owner = await lockOwner(stateDir);
    const waited = performance.now() - start;
    if (owner === null && waited < waitMs + CONTENTION_MS) continue;
    if (owner === null || waited >= waitMs) {
      const who = describeOwner(owner ?? UNKNOWN_OWNER);
      throw new LockedError(`${who}; only one uploads at a time`);
    }
    if (!isAnnounced) onWait?.(owner);
    isAnnounced = true;
    // An abort is heard at the next turn.
    await sleep(WAIT_STEP_MS, undefined, { signal }).catch(() => undefined);
  }
}

/**
 * Who holds the lock now, or null when nobody does. Changes nothing and holds up nobody.
 * In the first milliseconds of a lock its owner can be unknown.
 */
export async function lockOwner(stateDir: string): Promise<LockOwner | null> {
  let before = "";
  for (let ms = 0; ms < NAMED_WITHIN_MS; ms += NAMED_STEP_MS) {
    if (!(await isFileLocked(lockPath(stateDir)))) return null;
    const owner = await readOwner(stateDir);
    // Twice the same: at first it can be the name of one that was killed, until the next has written its own.
    if (owner !== null && JSON.stringify(owner) === before) return owner;
    before = JSON.stringify(owner);
    await sleep(NAMED_STEP_MS);
  }
  return UNKNOWN_OWNER;
}

class HeldLock implements Lock {
  readonly #stateDir: string;
  readonly #file: FileLock;

  constructor(stateDir: string, file: FileLock) {
    this.#stateDir = stateDir;
    this.#file = file;
  }

  async assertHeld(): Promise<void> {
    if (await this.#file.isInPlace()) return;
    throw new LedgerError(
      "LOCK_LOST",
      `the lock that keeps two uploads apart was deleted or replaced while this one was going on, so it ends here; nothing is lost, the next run goes on: ${lockPath(this.#stateDir)}`,
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Where it was replaced, the name is that of the next holder.
    if (await this.#file.isInPlace()) removeOwner(this.#stateDir);
    this.#file[Symbol.dispose]();
  }
}

async function tryLock(path: string): Promise<FileLock | null> {
  const what = "the lock that keeps two uploads apart cannot be made";
  try {
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    return await tryLockFile(path);
  } catch (error) {
    const known = error instanceof InfluxionError ? error.message : null;
    const why = (await describeObstacle(dirname(path))) ?? known;
    if (why === null) throw unwritable(what, path, error);
    throw new LedgerError("LEDGER_UNWRITABLE", `${what}: ${why}`, { cause: error });
  }
}

/** Version 2.0.0 had a lock of another kind, and left it behind when it was killed. Best effort. */
async function removeEarlierLock(stateDir: string): Promise<void> {
  const path = join(stateDir, "influxion", "uploads.lock");
  await Promise.allSettled([unlink(path), rmdir(`${path}.reclaim`)]);
}

function lockPath(stateDir: string): string {
  return join(stateDir, "influxion", "uploads.lock.sqlite");
}
