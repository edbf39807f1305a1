import { DatabaseThread } from "../stores/sqlite/database-thread.ts";
import { type DatabaseDigest, DatabaseDigests } from "./database-digests.ts";
import { type IdleNote, readIdleNote, writeIdleNote } from "./idle-note.ts";
import { areUnchanged, type IdleScan, RegistryReader, scanIdle } from "./idle-scan.ts";
import type { RunOptions } from "./options.ts";
import type { RunReport } from "./report.ts";

/** A scan, and what was found before where it shows the same. */
interface Look {
  /** Null where it cannot be determined. */
  readonly scan: IdleScan | null;
  readonly idle: IdleNote | null;
}

/**
 * Runs for the interval, one after the other, that cost next to nothing while nothing
 * happens: when a run has found nothing to do and everything idle, the next one
 * begins with a scan of names, sizes and times alone. If they are as they were before
 * that run, it would find the same, and neither ledger, lock nor thread is needed. No
 * transcript is opened for it, and a database only when its file has changed, on a thread of
 * its own: then what a run would list in it counts.
 *
 * What a run found is left to the next process, too, so that a start costs no whole run. It holds for the
 * same version of plugin and Node and the same config.
 */
export class IdleCache {
  readonly #run: (options: RunOptions) => Promise<RunReport>;
  /** Undefined until it was asked for what an earlier process left. */
  #idle: IdleNote | null | undefined;
  readonly #registry = new RegistryReader();
  readonly #digests = new DatabaseDigests();

  constructor(run: (options: RunOptions) => Promise<RunReport>) {
    this.#run = run;
  }

  /** A run with the config of the runs before, but for its filter; its report is that of a whole one. */
  async run(options: RunOptions): Promise<RunReport> {
    const startedAt = new Date(options.now()).toISOString();
    const { scan, idle } = await this.#look(options);
    options.signal.throwIfAborted();
    this.#idle = idle;
    if (idle !== null) {
      return { ...idle.report, startedAt, endedAt: new Date(options.now()).toISOString() };
    }
    const report = await this.#run(options);
    if (report.settled && scan !== null) await this.#remember(options, scan, report);
    return report;
  }

  async #look(options: RunOptions): Promise<Look> {
    const before = await this.#before(options);
    using thread = new DatabaseThread(options.signal);
    let scan: IdleScan | null = null;
    try {
      scan = await scanIdle(options, this.#registry, thread);
      // What the host says has changed is looked at, whatever sizes and times say.
      if (options.trigger !== "interval" || before?.token !== scan.token) {
        return { scan, idle: null };
      }
      const isSame = await this.#saySame(before, scan, thread);
      return { scan, idle: isSame ? before : null };
    } catch {
      // Whatever it is, the run that follows reports it.
      return { scan, idle: null };
    }
  }

  async #before({ stateDir }: RunOptions): Promise<IdleNote | null> {
    if (this.#idle !== undefined) return this.#idle;
    const note = await readIdleNote(stateDir);
    this.#digests.learn(note?.databases ?? []);
    return note;
  }

  async #saySame(before: IdleNote, scan: IdleScan, thread: DatabaseThread): Promise<boolean> {
    const digests = new Map(before.databases.map(({ path, digest }) => [path, digest]));
    for await (const { path, digest } of this.#digests.of(scan, thread)) {
      if (digests.get(path) !== digest) return false;
    }
    return true;
  }

  /**
   * Only here databases are read for what a run has found: while there is something to do, none would be
   * compared. They are as the run saw them if they have not changed since the scan, which is older.
   */
  async #remember(options: RunOptions, scan: IdleScan, report: RunReport): Promise<void> {
    using thread = new DatabaseThread(options.signal);
    try {
      const databases: DatabaseDigest[] = [];
      for await (const one of this.#digests.of(scan, thread)) databases.push(one);
      if (!(await areUnchanged(scan))) return;
      this.#idle = { token: scan.token, databases, report };
      await writeIdleNote(options.stateDir, this.#idle);
    } catch {
      // One that cannot be read now is for the next run, which is a whole one.
    }
  }
}
