import { createReadStream, createWriteStream } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import type { EnvelopeFields } from "../../src/upload/envelope.ts";
import { type SessionOptions, sessionIdOf, writeSession } from "../corpus.ts";
import { writeDatabase } from "../database.ts";
import { built } from "./built.ts";
import { cpuReader } from "./cpu.ts";
import type { Figure } from "./figures.ts";
import { describeRounds, type Measured, measureRounds } from "./rounds.ts";
import { type Sink, startSink } from "./sink.ts";
import { NOW } from "./upload.ts";

export interface BenchOptions {
  /** Small sizes and few rounds. */
  readonly quick: boolean;
  /** Also the sizes that take many minutes. */
  readonly large: boolean;
}

/** What every section works with. */
export interface Bench extends BenchOptions, AsyncDisposable {
  /** A folder that is removed in the end. */
  readonly dir: string;
  readonly sink: Sink;
  /** Whether it can be known that other programs ran beside a round. */
  readonly seesOthers: boolean;
  say(line: string): void;
  /**
   * Makes rounds of what is to be compared, and again those beside which other programs ran. See {@link measureRounds}.
   * @param what for whoever looks on
   */
  measure<Result>(
    what: string,
    wanted: number,
    round: () => Promise<Result>,
  ): Promise<Measured<Result>>;
}

export type Section = (bench: Bench) => Promise<Figure[]>;

export const STORES = ["jsonl", "sqlite"] as const;
export type StoreKind = (typeof STORES)[number];

export async function openBench(options: BenchOptions): Promise<Bench> {
  const dir = await mkdtemp(join(tmpdir(), "influxion-bench-"));
  // For all programs, as OpenClaw has it in all its processes (openclaw.mjs of 2026.9.6).
  process.env.NODE_COMPILE_CACHE = join(dir, "compiled");
  const sink = await startSink();
  const readCpu = cpuReader([process.pid, sink.pid]);
  const say = (line: string): void => {
    process.stderr.write(`${line}\n`);
  };
  return {
    ...options,
    dir,
    sink,
    seesOthers: readCpu !== null,
    say,
    async measure(what, wanted, round) {
      const measured = await measureRounds({ wanted, readCpu }, round);
      const thrownAway = describeRounds(measured.rounds);
      if (thrownAway !== "") say(`${what}: ${thrownAway}`);
      return measured;
    },
    async [Symbol.asyncDispose]() {
      await sink[Symbol.asyncDispose]();
      await rm(dir, { recursive: true, force: true });
    },
  };
}

/** A state directory with these sessions of one agent in one store. */
export function makeState(
  { dir }: Bench,
  name: string,
  store: StoreKind,
  sessions: readonly SessionOptions[],
): string {
  const stateDir = join(dir, `${name}-${store}`);
  if (store === "sqlite") {
    writeDatabase(databasePath(stateDir), sessions);
  } else {
    for (const session of sessions) writeSession(sessionFile(stateDir, session.seed), session);
  }
  return stateDir;
}

export function databasePath(stateDir: string): string {
  return join(stateDir, "agents", "main", "agent", "openclaw-agent.sqlite");
}

export function sessionFile(stateDir: string, seed: number): string {
  return join(stateDir, "agents", "main", "sessions", `${sessionIdOf(seed)}.jsonl`);
}

/** What the lines of a body have in common. */
export const fieldsOf = (sessionId: string): EnvelopeFields => ({
  deploymentId: "bench-deployment",
  projectId: "bench-project",
  agentId: "main",
  sessionId,
  capturedAt: new Date(NOW).toISOString(),
});

/** Writes what an upload of a transcript has in its bodies, before compression. */
export async function writeBody(transcript: string, seed: number, path: string): Promise<void> {
  const { createBody } = await built("upload/body");
  const fields = fieldsOf(sessionIdOf(seed));
  await using body = createBody({
    lines: createReadStream(transcript),
    fields,
    firstLine: 0,
    coding: "gzip",
  });
  await pipeline(Readable.from(body.chunks), createGunzip(), createWriteStream(path));
}
