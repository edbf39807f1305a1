import { createHash } from "node:crypto";
import { needsNames } from "../config/filter.ts";
import { ledgerPaths } from "../ledger/paths.ts";
import { VERSION } from "../shared/version.ts";
import { fileChangeToken } from "../stores/change-token.ts";
import { markFolder } from "../stores/jsonl/list.ts";
import { DEFAULT_LAYOUT } from "../stores/layout.ts";
import { findPlaces, registryPath } from "../stores/places.ts";
import { type IdleNote, readIdleNote, writeIdleNote } from "./idle-note.ts";
import type { RunOptions } from "./options.ts";
import type { RunReport } from "./report.ts";

/**
 * Runs for the interval, one after the other, that cost next to nothing while nothing
 * happens: when a run has found nothing to do and everything idle, the next one
 * begins with a scan of names, sizes and times alone. If they are as they were before
 * that run, it would find the same, and neither ledger, lock nor thread is needed. No
 * transcript and no database is opened for it: it runs on the Gateway's own thread.
 *
 * What a run found is left to the next process, too, so that a start costs no whole run. It holds for the
 * same version of plugin and Node and the same config, and not where a database was found that
 * only the host's registry knows: the note keeps no paths.
 */
export class IdleCache {
  readonly #run: (options: RunOptions) => Promise<RunReport>;
  /** Undefined until it was asked for what an earlier process left. */
  #idle: IdleNote | null | undefined;
  /** Databases that the last run found; only the host's registry knows where all of them are. */
  #databases: readonly string[] = [];

  constructor(run: (options: RunOptions) => Promise<RunReport>) {
    this.#run = run;
  }

  /** A run with the config of the runs before, but for its filter; its report is that of a whole one. */
  async run(options: RunOptions): Promise<RunReport> {
    const startedAt = new Date(options.now()).toISOString();
    const state = await stateToken(options, this.#databases);
    options.signal.throwIfAborted();
    const before = this.#idle === undefined ? await readIdleNote(options.stateDir) : this.#idle;
    // What the host says has changed is looked at, whatever sizes and times say.
    if (options.trigger === "interval" && before !== null && before.token === state?.token) {
      this.#idle = before;
      return { ...before.report, startedAt, endedAt: new Date(options.now()).toISOString() };
    }
    this.#idle = null;
    this.#databases = [];
    const onDatabases = (paths: readonly string[]): void => {
      this.#databases = paths;
    };
    const report = await this.#run({ ...options, events: { ...options.events, onDatabases } });
    // The token is older than the scan of that run, and of all that it scanned: a change in between is noticed.
    if (
      report.settled &&
      state !== null &&
      this.#databases.every((path) => state.files.has(path))
    ) {
      this.#idle = { token: state.token, report };
      const isKnownAnyway = this.#databases.every((path) => state.expected.has(path));
      if (isKnownAnyway) await writeIdleNote(options.stateDir, this.#idle);
    }
    return report;
  }
}

interface State {
  readonly token: string;
  /** What it is of. */
  readonly files: ReadonlySet<string>;
  /** Those of them that are known without `databases`. */
  readonly expected: ReadonlySet<string>;
}

/**
 * A token that is equal between two scans only if all that a run would scan is unchanged, and what it
 * would do with that; null when that cannot be determined.
 * @param databases paths
 */
async function stateToken(
  { stateDir, layout = DEFAULT_LAYOUT, config, agentId, signal }: RunOptions,
  databases: readonly string[],
): Promise<State | null> {
  const asksForNames = needsNames(config.filter);
  const hash = createHash("sha256");
  const add = (...parts: unknown[]): unknown => hash.update(JSON.stringify(parts));
  // With another key there is as little to do, and no trace of it is to lie about.
  add(VERSION, process.version, { ...config, apiKey: null }, agentId);
  try {
    const expected = new Set([
      ...Object.values(ledgerPaths(stateDir)),
      ...withLog(registryPath(stateDir)),
    ]);
    const { claims, shared, failures } = await findPlaces(stateDir, layout);
    add(failures);
    const folders = new Set<string>();
    for (const { name, sessions, databases: usual, failures: failed } of claims) {
      add(name, failed, sessions, usual);
      for (const { path } of usual) for (const file of withLog(path)) expected.add(file);
      for (const { dir, index } of sessions) {
        folders.add(dir);
        if (asksForNames) expected.add(index);
      }
    }
    for (const { dir, indexes } of shared) {
      add(dir, indexes);
      folders.add(dir);
      for (const { path } of indexes) expected.add(path);
    }
    for (const dir of folders) add(await markFolder(dir, signal));
    const files = new Set([...expected, ...databases.flatMap(withLog)]);
    // However they were found: the next process finds them in another order.
    for (const path of [...files].sort()) add(path, await fileChangeToken(path));
    return { token: hash.digest("hex"), files, expected };
  } catch {
    // Whatever it is, the run that follows reports it.
    return null;
  }
}

/** Every commit changes a database's log or, where a checkpoint has emptied it, the file. */
function withLog(path: string): string[] {
  return [path, `${path}-wal`];
}
