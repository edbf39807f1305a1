import { constants } from "node:fs";
import { access, readdir, realpath, rm } from "node:fs/promises";
import { join } from "node:path";
import { NotAFileError, regularStats } from "../../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../../shared/problem.ts";
import { tempPrefix } from "../../shared/replace-file.ts";
import { makeFolder, makePrivateFile, makePrivateFolder } from "./private.ts";

export const INDEX_FILE = "index.sqlite";
export const KEY_FILE = "key";
export const SESSIONS_FOLDER = "sessions";
export const STAGING_FOLDER = "staging";

/** The index and the lock, with what SQLite keeps beside them. */
const DATABASE_FILE = /^(index|lock)\./;
const STAGED_FILE = /^[0-9a-f-]{36}\.part$/;

/**
 * Makes the receiver's folder, or finds out whether the one that is there can be it.
 * Nothing of a folder that is refused is changed.
 *
 * @throws {InfluxionError} `RECEIVER_DIR_UNUSABLE`
 */
export async function prepareFolder(dir: string): Promise<void> {
  let names: string[];
  try {
    await makeFolder(dir);
    await access(dir, constants.R_OK | constants.W_OK | constants.X_OK);
    names = await readdir(dir);
  } catch (error) {
    const code = errnoOf(error);
    throw unusable(
      dir,
      code === "EEXIST" || code === "ENOTDIR"
        ? "a file is in its place"
        : `it cannot be made or written to (${code || String(error)})`,
      error,
    );
  }
  if (!names.includes(INDEX_FILE)) {
    if (!names.every(isMadeFirst))
      throw unusable(dir, "it holds other things and no index.sqlite of a receiver");
    await makePrivate(dir);
  }
  for (const name of names.filter((name) => DATABASE_FILE.test(name))) {
    await checkRegular(dir, name);
  }
}

/**
 * Lets nobody but the owner read what is in the folder, also where that was different
 * before, and removes what a process that was killed left behind. The folder itself is
 * left alone when there are other things in it, too.
 *
 * @throws {InfluxionError} `RECEIVER_DIR_UNUSABLE`
 */
export async function tidyFolder(dir: string): Promise<void> {
  const names = await readdir(dir);
  if (names.every(isOurs)) await makePrivate(dir);
  try {
    for (const name of names) {
      if (DATABASE_FILE.test(name)) await makePrivateFile(join(dir, name));
      if (isUnfinishedKey(name)) await rm(join(dir, name));
    }
    await makePrivateFolder(join(dir, SESSIONS_FOLDER));
    const staging = join(dir, STAGING_FOLDER);
    await makePrivateFolder(staging);
    for (const name of await readdir(staging)) {
      if (STAGED_FILE.test(name)) await rm(join(staging, name));
    }
  } catch (error) {
    throw notPrivate(dir, error);
  }
}

async function makePrivate(dir: string): Promise<void> {
  try {
    await makePrivateFolder(await realpath(dir));
  } catch (error) {
    throw notPrivate(dir, error);
  }
}

/** Whether it may be there although the index is not, because a first start was cut short. */
function isMadeFirst(name: string): boolean {
  return DATABASE_FILE.test(name) || name === STAGING_FOLDER;
}

function isOurs(name: string): boolean {
  return (
    isMadeFirst(name) || name === SESSIONS_FOLDER || name === KEY_FILE || isUnfinishedKey(name)
  );
}

function isUnfinishedKey(name: string): boolean {
  return name.startsWith(`${tempPrefix(KEY_FILE)}.`);
}

/** SQLite would wait at a FIFO for good. */
async function checkRegular(dir: string, name: string): Promise<void> {
  try {
    await regularStats(join(dir, name));
  } catch (error) {
    if (error instanceof NotAFileError) throw unusable(dir, error.message, error);
    // A journal may be gone by now.
    if (errnoOf(error) !== "ENOENT") throw error;
  }
}

function notPrivate(dir: string, error: unknown): InfluxionError {
  return unusable(dir, `it cannot be made private (${errnoOf(error) || String(error)})`, error);
}

function unusable(dir: string, why: string, cause?: unknown): InfluxionError {
  return new InfluxionError(
    "RECEIVER_DIR_UNUSABLE",
    `${dir} cannot be the receiver's folder, because ${why}; choose another one with --dir`,
    { cause },
  );
}
