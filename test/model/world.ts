import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readConfig } from "../../src/config/config.ts";
import { ledgerPaths } from "../../src/ledger/paths.ts";
import { IdleCache } from "../../src/run/idle-cache.ts";
import type { RunReport } from "../../src/run/report.ts";
import { run } from "../../src/run/run.ts";
import { compare } from "../soak/conservation.ts";
import { digestsOf } from "../soak/history.ts";
import type { Run, Step } from "./actions.ts";
import type { Ingest } from "./ingest.ts";
import { SessionDb } from "./session-db.ts";
import { type HostSession, SessionFile } from "./session-file.ts";

/** Rounds that everything must be delivered in once nothing goes wrong any more. */
const LAST_RUNS = 40;

/** Two sessions in files and one in a database, what they have been, and a plugin that uploads them. */
export class World implements Disposable {
  readonly #dir = mkdtempSync(join(tmpdir(), "influxion-model-"));
  readonly #ingest: Ingest;
  readonly #inDatabase: SessionDb;
  readonly #sessions: readonly HostSession[];
  readonly #runs = new IdleCache(run);
  #offset = 0;

  constructor(ingest: Ingest) {
    ingest.reset();
    this.#ingest = ingest;
    const dir = join(this.#dir, "agents", "main", "sessions");
    this.#inDatabase = new SessionDb(this.#dir, "c");
    const files = ["a", "b"].map((id) => new SessionFile(dir, id, this.now));
    this.#sessions = [...files, this.#inDatabase];
  }

  now = (): number => Date.now() + this.#offset;

  async take(step: Step): Promise<void> {
    if (step.kind === "run") await this.run(step);
    else if (step.kind === "wait") this.#wait();
    else this.#sessions[step.session]?.write(step.action, step.fresh);
  }

  /** A run, and perhaps the end of its process in the middle of it. */
  async run(step: Run): Promise<void> {
    const paths = Object.values(ledgerPaths(this.#dir));
    let before: (Buffer | undefined)[] | undefined;
    let first = true;
    let count = 0;
    this.#ingest.treat = () => {
      if (first && step.meanwhile !== null) {
        const { session, action, fresh } = step.meanwhile;
        this.#sessions[session]?.write(action, fresh);
      }
      first = false;
      if (before !== undefined) return { kind: "never" };
      if (count === step.killedAt) before = paths.map(contentOf);
      return step.treatments[Math.min(count++, step.treatments.length - 1)] ?? { kind: "ok" };
    };
    await this.#upload("interval", step.maxBytesPerRun, step.retryAttempts);
    before?.forEach((content, index) => {
      if (content !== undefined) writeFileSync(paths[index] ?? "", content);
    });
  }

  /** Everything comes to rest and every request is let through; then what is held must be what there is. */
  async settle(): Promise<string[]> {
    for (const session of this.#sessions) session.settle();
    this.#ingest.treat = () => ({ kind: "ok" });
    for (let n = 0; n < LAST_RUNS; n++) {
      this.#wait();
      const { requests } = this.#ingest;
      await this.#upload("command", 10_000_000, 0);
      if (this.#ingest.requests === requests) return this.#differences();
    }
    return ["the last runs never come to an end"];
  }

  [Symbol.dispose](): void {
    this.#inDatabase[Symbol.dispose]();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #wait(): void {
    for (const session of this.#sessions) session.finishRewrite();
    this.#offset += 60_000;
  }

  #differences(): string[] {
    return this.#sessions.flatMap((session) => {
      const { id, history } = session;
      const onDisk = session.onDisk().map(digestsOf);
      const name = `main/${id}`;
      return compare(name, history, this.#ingest.sessions.get(name) ?? [], onDisk);
    });
  }

  async #upload(
    trigger: "interval" | "command",
    maxBytesPerRun: number,
    retryAttempts: number,
  ): Promise<RunReport> {
    const result = readConfig({
      apiUrl: this.#ingest.url,
      apiKey: "key",
      deploymentId: "model",
      projectId: "project",
      upload: { retryAttempts, retryBackoffMs: 0, maxBytesPerRun, timeoutMs: 5000 },
      filter: { minMessages: 0, minBytes: 0 },
    });
    if (!result.ok) throw new Error(JSON.stringify(result.problems));
    return this.#runs.run({
      stateDir: this.#dir,
      config: result.config,
      apiKey: "key",
      trigger,
      ignoreHold: trigger === "command",
      retryBackedOff: trigger === "command",
      lockWaitMs: 0,
      signal: new AbortController().signal,
      now: this.now,
      random: Math.random,
    });
  }
}

function contentOf(path: string): Buffer | undefined {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
