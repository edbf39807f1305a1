import { createHash } from "node:crypto";
import { needsNames } from "../config/filter.ts";
import { ledgerPaths } from "../ledger/paths.ts";
import { VERSION } from "../shared/version.ts";
import { databaseChangeToken, fileChangeToken, NO_DATABASE } from "../stores/change-token.ts";
import { markFolder } from "../stores/jsonl/list.ts";
import { DEFAULT_LAYOUT } from "../stores/layout.ts";
import { type Claim, findPlaces, registryPath } from "../stores/places.ts";
import { readRegistryInThread } from "../stores/sqlite/registry-thread.ts";
import { type IdleNote, readIdleNote, writeIdleNote } from "./idle-note.ts";
import type { RunOptions } from "./options.ts";
import type { RunReport } from "./report.ts";

/**
 * Runs for the interval, one after the other, that cost next to nothing while nothing
 * happens: when a run has found nothing to do and everything idle, the next one
 * begins with a scan of names, sizes and times alone. If they are as they were before
 * that run, it would find the same, and neither ledger, lock nor thread is needed. No
 * transcript and no agent's database is opened for it: it runs on the Gateway's own thread.
 *
 * What a run found is left to the next process, too, so that a start costs no whole run. It holds for the
 * same version of plugin and Node and the same config.
 */
export class IdleCache {
  readonly #run: (options: RunOptions) => Promise<RunReport>;
  /** Undefined until it was asked for what an earlier process left. */
  #idle: IdleNote | null | undefined;
  readonly #registry = new RegistryReader();

  constructor(run: (options: RunOptions) => Promise<RunReport>) {
    this.#run = run;
  }

  /** A run with the config of the runs before, but for its filter; its report is that of a whole one. */
  async run(options: RunOptions): Promise<RunReport> {
    const startedAt = new Date(options.now()).toISOString();
    const token = await stateToken(options, this.#registry);
    options.signal.throwIfAborted();
    const before = this.#idle === undefined ? await readIdleNote(options.stateDir) : this.#idle;
    // What the host says has changed is looked at, whatever sizes and times say.
    if (options.trigger === "interval" && before !== null && before.token === token) {
      this.#idle = before;
      return { ...before.report, startedAt, endedAt: new Date(options.now()).toISOString() };
    }
    this.#idle = null;
    const report = await this.#run(options);
    // The token is older than the scan of that run, and of all that it scanned: a change in between is noticed.
    if (report.settled && token !== null) {
      this.#idle = { token, report };
      await writeIdleNote(options.stateDir, this.#idle);
    }
    return report;
  }
}

/**
 * A token that is equal between two scans only if all that a run would scan is unchanged, and what it
 * would do with that; null when that cannot be determined.
 */
async function stateToken(
  { stateDir, layout = DEFAULT_LAYOUT, config, agentId, signal }: RunOptions,
  registryReader: RegistryReader,
): Promise<string | null> {
  const asksForNames = needsNames(config.filter);
  const hash = createHash("sha256");
  const add = (...parts: unknown[]): unknown => hash.update(JSON.stringify(parts));
  // With another key there is as little to do, and no trace of it is to lie about.
  add(VERSION, process.version, { ...config, apiKey: null }, agentId);
  try {
    const files = new Set(Object.values(ledgerPaths(stateDir)));
    const databases = new Set<string>();
    const { claims, shared, failures } = await findPlaces(stateDir, layout);
    const registered = await registryReader.read(stateDir, signal);
    add(failures);
    const folders = new Set<string>();
    for (const { name, sessions, databases: own, failures: failed } of [...claims, ...registered]) {
      add(name, failed, sessions, own);
      for (const { path } of own) databases.add(path);
      for (const { dir, index } of sessions) {
        folders.add(dir);
        if (asksForNames) files.add(index);
      }
    }
    for (const { dir, indexes } of shared) {
      add(dir, indexes);
      folders.add(dir);
      for (const { path } of indexes) files.add(path);
    }
    for (const dir of folders) add(await markFolder(dir, signal));
    for (const path of files) add(path, await fileChangeToken(path));
    for (const path of databases) add(path, await databaseChangeToken(path));
    return hash.digest("hex");
  } catch {
    // Whatever it is, the run that follows reports it.
    return null;
  }
}

/**
 * The host's list of agent databases, read again when its file has changed: what counts is what it says, and
 * the host writes other things into the same file every half minute.
 */
class RegistryReader {
  #last: { readonly token: string; readonly claims: readonly Claim[] } | undefined;

  /** @throws {Error} when it could not be read, or not in time */
  async read(stateDir: string, signal: AbortSignal): Promise<readonly Claim[]> {
    // Older than what is read: a change in between is noticed the next time.
    const token = await databaseChangeToken(registryPath(stateDir));
    // As with hosts before 2026.8.
    if (token === NO_DATABASE) return [];
    if (this.#last?.token === token) return this.#last.claims;
    const { claims, failures } = await readRegistryInThread(stateDir, signal);
    // What it could not say, nobody would watch.
    if (failures.length > 0) throw new Error("the registry cannot be read as a whole");
    this.#last = { token, claims };
    return claims;
  }
}
