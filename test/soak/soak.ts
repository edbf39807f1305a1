import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { type ChildOptions, CLOCK_AHEAD_MS } from "./child-options.ts";
import { compare } from "./conservation.ts";
import { DbHost } from "./db-host.ts";
import { Dice } from "./dice.ts";
import { EntryMaker } from "./entries.ts";
import { behaviour } from "./faults.ts";
import { FileHost } from "./file-host.ts";
import { Held } from "./held.ts";
import type { History } from "./history.ts";
import { type Child, startChild, type Told } from "./program.ts";

/** So that what is written, and waits in the end, grows with the kills and not with the slowness of the machine. */
const ACTIONS_PER_KILL = 15;

/** Untouched for this long, a stream is at rest for the child, in ms. */
const REST_MS = 10_000 - CLOCK_AHEAD_MS;

/**
 * A child that waits, e.g. because it was refused, is killed after this, in ms; or after so many
 * times what its start took, because on a busy machine it takes longer to come to a request, too.
 */
const REQUEST_MS = 2000;
const REQUEST_STARTS = 4;

/**
 * Fewer repeated requests than this share of the kills: they met nothing, and nothing was
 * proved. It must hold in each tenth of a soak, if that has enough kills for chance not to decide.
 */
const LEAST_REPEATS = 0.1;
const MANY_KILLS = 50;
const TENTHS = 10;

/** How long an upload in flight may go on after its session was deleted, in ms. */
const IN_FLIGHT_MS = 2_000;

/** Longest time from the last write until everything is let through, in ms. */
const LAST_MS = 120_000;

/** Runs in a row that find nothing to do, after which everything counts as let through. */
const QUIET_RUNS = 5;

export interface SoakOptions {
  readonly kills: number;
  readonly seed: number;
  /** @default true */
  readonly hugeLines?: boolean;
  /** Hears after each kill how many there were, and what the server has seen. */
  readonly onKill?: (progress: { kills: number; requests: number; repeats: number }) => void;
}

export interface SoakResult {
  /** What must never happen, in words; empty when the soak has passed. */
  readonly violations: readonly string[];
  readonly counts: Readonly<Record<string, number>>;
  /** How runs ended, by outcome. */
  readonly outcomes: Readonly<Record<string, number>>;
  /** The folder with the state directory and the logs of a soak that was violated. */
  readonly kept: string | undefined;
}

/** Writes, uploads, goes wrong and kills; then lets everything through and counts. */
export async function soak(options: SoakOptions): Promise<SoakResult> {
  await using one = await Soak.start(options);
  await one.kill();
  await one.letThrough();
  return one.result();
}

class Soak implements AsyncDisposable {
  readonly #options: SoakOptions;
  readonly #dir = mkdtempSync(join(tmpdir(), "influxion-soak-"));
  readonly #stateDir = join(this.#dir, "state");
  readonly #dice: Dice;
  readonly #server: FaultServer;
  readonly #held: Held;
  readonly #files: FileHost;
  readonly #db: DbHost;
  readonly #told: Told = { outcomes: {}, crashes: [] };
  readonly #late: string[] = [];
  /** What the writer did, for the log. */
  readonly #log: object[] = [];
  /** Repeats at the end of each tenth of the kills. */
  readonly #repeats: number[] = [];
  #isKept = false;
  #actions = 0;
  #kills = 0;
  #writing = true;
  readonly #writer: Promise<void>;
  readonly #calm: { now: boolean };

  private constructor(options: SoakOptions, server: FaultServer, calm: { now: boolean }) {
    const { seed, hugeLines = true } = options;
    this.#options = options;
    this.#dice = new Dice(seed);
    this.#server = server;
    this.#calm = calm;
    this.#held = new Held(server);
    const entries = new EntryMaker(new Dice(seed + 1));
    this.#files = new FileHost({
      stateDir: this.#stateDir,
      dice: new Dice(seed + 2),
      entries,
      patienceMs: REST_MS / 2,
      hugeShare: hugeLines ? 0.02 : 0,
      onAction: (action, session) => this.#log.push({ at: new Date(), session, action }),
    });
    this.#db = new DbHost(this.#stateDir, new Dice(seed + 3), entries);
    this.#writer = this.#write();
  }

  static async start(options: SoakOptions): Promise<Soak> {
    const dice = new Dice(options.seed + 4);
    const calm = { now: false };
    const server = await startFaultServer({
      script: () => (calm.now ? { kind: "accept" } : behaviour(dice)),
    });
    return new Soak(options, server, calm);
  }

  /** Starts children and kills them at random instants. */
  async kill(): Promise<void> {
    while (this.#kills < this.#options.kills) {
      const n = this.#kills;
      const mode = this.#dice.weighted({ interval: 70, command: 15, service: 15 });
      await using child = startChild(this.#child(mode, `key-${n}`, n), this.#told);
      await this.#instant(child);
      await child.kill();
      this.#collect();
      this.#kills++;
      const { repeats } = this.#held;
      if (this.#kills % Math.ceil(this.#options.kills / TENTHS) === 0) this.#repeats.push(repeats);
      this.#options.onKill?.({
        kills: this.#kills,
        requests: this.#server.requests.length,
        repeats,
      });
    }
  }

  /** Waits for the instant at which the child dies: at its start, in a run, or around one of its requests. */
  async #instant(child: Child): Promise<void> {
    const dice = this.#dice;
    const when = dice.weighted({ start: 15, run: 25, request: 60 });
    const ms = dice.int(0, when === "request" ? 40 : 300);
    const begun = performance.now();
    if (when !== "start") await child.ready;
    if (when === "request") {
      const enough = this.#server.requests.length + dice.int(1, 8);
      const startMs = performance.now() - begun;
      const deadline = performance.now() + Math.max(REQUEST_MS, REQUEST_STARTS * startMs);
      while (this.#server.requests.length < enough && performance.now() < deadline) await sleep(2);
    }
    await sleep(ms);
  }

  /** The writer stops, the server takes everything, and the clock goes on. */
  async letThrough(): Promise<void> {
    this.#writing = false;
    await this.#writer;
    this.#files.settle();
    this.#calm.now = true;
    await sleep(2 * REST_MS);
    let requests = 0;
    let quiet = 0;
    const onRun = (outcome: string): void => {
      this.#collect();
      if (outcome !== "done" && outcome !== "partial") return;
      quiet = this.#server.requests.length === requests ? quiet + 1 : 0;
      requests = this.#server.requests.length;
    };
    await using _child = startChild(this.#child("command", "last-key", 0), this.#told, onRun);
    for (const deadline = performance.now() + LAST_MS; quiet < QUIET_RUNS; await sleep(20)) {
      if (performance.now() > deadline) {
        throw new Error(`the last runs never come to an end: ${JSON.stringify(this.#told)}`);
      }
    }
  }

  result(): SoakResult {
    this.#collect();
    const histories = this.#histories();
    const held = this.#held;
    const differences = histories.flatMap(([session, history]) =>
      compare(session, history, held.sessions.get(session) ?? [], this.#onDisk(session, history)),
    );
    differences.push(...this.#missedUploads());
    const violations = [...this.#told.crashes, ...held.violations, ...this.#late, ...differences];
    if (violations.length > 0) this.#keep(violations);
    const sum = (counts: readonly number[]): number => counts.reduce((a, b) => a + b, 0);
    return {
      violations,
      counts: {
        actions: this.#actions,
        sessions: histories.length,
        versions: sum(histories.map(([, { versions }]) => versions.length)),
        generations: sum([...held.sessions.values()].map(({ length }) => length)),
        parts: held.log.length,
        lines: held.lines,
        omitted: held.omitted,
        requests: this.#server.requests.length,
        repeats: held.repeats,
      },
      outcomes: this.#told.outcomes,
      kept: this.#isKept ? this.#dir : undefined,
    };
  }

  /** A tenth of the kills that did not meet uploads has proved nothing. */
  #missedUploads(): string[] {
    const kills = this.#options.kills / TENTHS;
    if (kills < MANY_KILLS) return [];
    return this.#repeats.flatMap((repeats, tenth) => {
      const met = repeats - (this.#repeats[tenth - 1] ?? 0);
      return met >= LEAST_REPEATS * kills
        ? []
        : [`only ${met} repeats in tenth ${tenth + 1}: the kills did not meet uploads`];
    });
  }

  /** What is needed to find out why. */
  #keep(violations: readonly string[]): void {
    this.#isKept = true;
    const lines = (entries: readonly unknown[]): string =>
      entries.map((entry) => `${JSON.stringify(entry)}\n`).join("");
    const requests = this.#server.requests.map(({ headers: _, ...request }) => request);
    writeFileSync(join(this.#dir, "violations.txt"), violations.join("\n"));
    writeFileSync(join(this.#dir, "parts.jsonl"), lines(this.#held.log));
    writeFileSync(join(this.#dir, "actions.jsonl"), lines(this.#log));
    writeFileSync(join(this.#dir, "requests.jsonl"), lines(requests));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#writing = false;
    await this.#writer.catch(() => undefined);
    this.#db.close();
    await this.#server.close();
    if (!this.#isKept) rmSync(this.#dir, { recursive: true, force: true });
  }

  async #write(): Promise<void> {
    while (this.#writing) {
      if (this.#actions >= ACTIONS_PER_KILL * (this.#kills + 1)) {
        await sleep(10);
        continue;
      }
      await this.#files.act();
      if (this.#actions++ % 3 === 0) this.#db.act();
      // Now and then everything has a chance to come to rest.
      await sleep(this.#actions % 300 === 0 ? 1.5 * REST_MS : 4);
    }
  }

  #child(mode: ChildOptions["mode"], apiKey: string, n: number): ChildOptions {
    const { seed } = this.#options;
    const dice = this.#dice;
    return {
      mode,
      stateDir: this.#stateDir,
      cacheDir: join(this.#dir, "cache"),
      seed: seed + n,
      config: {
        apiUrl: this.#server.url,
        apiKey,
        deploymentId: "soak",
        projectId: "project",
        upload: {
          every: "1s",
          retryAttempts: dice.int(0, 3),
          retryBackoffMs: dice.pick([0, 5, 50]),
          timeoutMs: 150,
          maxFilesPerRun: this.#calm.now ? 1000 : dice.pick([3, 10, 100]),
          maxBytesPerRun: this.#calm.now ? 1e9 : dice.pick([20_000, 300_000, 30_000_000]),
          concurrency: dice.int(1, 3),
        },
        filter: { minMessages: 0, minBytes: 0 },
      },
    };
  }

  #histories(): [string, History][] {
    return [...this.#files.histories, ...this.#db.histories];
  }

  #onDisk(session: string, history: History): readonly (readonly string[])[] {
    const agentId = session.slice(0, session.indexOf("/"));
    if (agentId !== DbHost.agentId) return this.#files.onDisk(session);
    // What lies in cold storage is told by the history alone.
    if (this.#db.isCold(session)) return history.versions.slice(-1).map(({ lines }) => lines);
    return [this.#db.onDisk(session)];
  }

  #collect(): void {
    const histories = new Map(this.#histories());
    this.#held.collect((session, { startedAt, status }) => {
      const history = histories.get(session);
      // An API that has other lines gets all of them again.
      if (history !== undefined && status === 409) history.slack++;
      if (history === undefined) this.#late.push(`${session}: was never written`);
      else if (startedAt > (history.deletedAt ?? Number.POSITIVE_INFINITY) + IN_FLIGHT_MS) {
        this.#late.push(`${session}: sent after it was deleted`);
      }
    });
  }
}
