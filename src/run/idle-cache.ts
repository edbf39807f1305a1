import { createHash } from "node:crypto";
import { needsNames } from "../config/filter.ts";
import { ledgerPaths } from "../ledger/paths.ts";
import { markFolder } from "../stores/jsonl/list.ts";
import { DEFAULT_LAYOUT } from "../stores/layout.ts";
import { fileMark } from "../stores/mark.ts";
import { findPlaces, registryPath } from "../stores/places.ts";
import type { RunOptions } from "./options.ts";
import type { RunReport } from "./report.ts";

/**
 * Runs for the interval, one after the other, that cost next to nothing while nothing
 * happens: when a run has found nothing to do and everything at rest, the next one
 * begins with a look at names, sizes and times alone. If they are as they were before
 * that run, it would find the same, and neither ledger, lock nor thread is needed. No
 * file is opened for it: it runs on the Gateway's own thread.
 */
export class IdleCache {
  readonly #run: (options: RunOptions) => Promise<RunReport>;
  #idle: { readonly mark: string; readonly report: RunReport } | null = null;
  /** Databases that the last run found; only the host's registry knows where all of them are. */
  #databases: readonly string[] = [];

  constructor(run: (options: RunOptions) => Promise<RunReport>) {
    this.#run = run;
  }

  /** A run with the config of the runs before, but for its filter; its report is that of a whole one. */
  async run(options: RunOptions): Promise<RunReport> {
    const startedAt = new Date(options.now()).toISOString();
    const look = await stateMark(options, this.#databases);
    options.signal.throwIfAborted();
    const before = this.#idle;
    if (before !== null && before.mark === look?.mark) {
      return { ...before.report, startedAt, endedAt: new Date(options.now()).toISOString() };
    }
    this.#idle = null;
    this.#databases = [];
    const onDatabases = (paths: readonly string[]): void => {
      this.#databases = paths;
    };
    const report = await this.#run({ ...options, events: { ...options.events, onDatabases } });
    // The mark is older than the look of that run, and of all that it looked at: a change in between is noticed.
    if (report.settled && look !== null && this.#databases.every((path) => look.files.has(path))) {
      this.#idle = { mark: look.mark, report };
    }
    return report;
  }
}

/**
 * A mark that is equal between two looks only if all that a run would look at is unchanged,
 * and the files that it is of; null when that cannot be told.
 * @param databases paths
 */
async function stateMark(
  { stateDir, layout = DEFAULT_LAYOUT, config, signal }: RunOptions,
  databases: readonly string[],
): Promise<{ readonly mark: string; readonly files: ReadonlySet<string> } | null> {
  const asksForNames = needsNames(config.filter);
  const hash = createHash("sha256");
  const add = (...parts: unknown[]): unknown => hash.update(JSON.stringify(parts));
  add(config.filter);
  try {
    const files = new Set([
      ...Object.values(ledgerPaths(stateDir)),
      ...withLog(registryPath(stateDir)),
      ...databases.flatMap(withLog),
    ]);
    const { claims, shared, failures } = await findPlaces(stateDir, layout);
    add(failures);
    const folders = new Set<string>();
    for (const { name, sessions, databases: usual, failures: failed } of claims) {
      add(name, failed, sessions, usual);
      for (const { path } of usual) for (const file of withLog(path)) files.add(file);
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
    for (const path of files) add(path, await fileMark(path));
    return { mark: hash.digest("hex"), files };
  } catch {
    // Whatever it is, the run that follows tells it.
    return null;
  }
}

/** Every commit changes a database's log or, where a checkpoint has emptied it, the file. */
function withLog(path: string): string[] {
  return [path, `${path}-wal`];
}
