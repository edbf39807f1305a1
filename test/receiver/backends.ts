import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, onTestFinished } from "vitest";
import { startPostgresReceiver } from "../../src/receiver/postgres/receiver.ts";
import type { ServeOptions } from "../../src/receiver/serve.ts";
import { PostgresServer, query } from "../support/postgres.ts";
import { receiverIn, tempDir } from "./support.ts";
import { KEY } from "./wire.ts";

/** One generation of one session, however it is kept. */
export interface HeldGeneration {
  readonly agentId: string;
  readonly sessionId: string;
  readonly parts: number;
  /** Received, accepted and rejected. */
  readonly lines: number;
  /** The payloads, each with a newline. */
  readonly text: string;
}

/** A receiver as the contract sees it. */
export interface ContractReceiver {
  readonly url: string;
  /** By agent, session and generation, the newest one last. */
  held(): Promise<HeldGeneration[]>;
  /** Whether `text` is anywhere in what is kept, whoever reads it and how. */
  contains(text: string): Promise<boolean>;
  /** Parts stored, and parts that came again. */
  counts(): Promise<{ parts: number; repeats: number }>;
  /** Another one on the same store, after this one was closed. */
  restart(): Promise<ContractReceiver>;
  close(): Promise<void>;
}

/** Where parts are kept. */
export interface TestBackend {
  readonly name: "files" | "PostgreSQL";
  /** A receiver with a store of its own, which is closed with the test. */
  start(options?: Partial<ServeOptions>): Promise<ContractReceiver>;
}

async function onFiles(dir: string, options: Partial<ServeOptions>): Promise<ContractReceiver> {
  const receiver = await receiverIn(dir, options);
  return {
    url: receiver.url,
    held: () =>
      Promise.all(
        receiver.sessions().map(async ({ agentId, sessionId, parts, lines, file }) => {
          const text = await readFile(file, "utf8");
          return { agentId, sessionId, parts, lines, text };
        }),
      ),
    contains: (text) => isInFolder(dir, text),
    counts: async () => {
      const { parts, repeats } = receiver.stats();
      return { parts, repeats };
    },
    async restart() {
      await receiver.close();
      return onFiles(dir, options);
    },
    close: () => receiver.close(),
  };
}

async function isInFolder(dir: string, text: string): Promise<boolean> {
  const found = await readdir(dir, { recursive: true, withFileTypes: true });
  const files = found.filter((one) => one.isFile());
  const contents = await Promise.all(files.map((one) => readFile(join(one.parentPath, one.name))));
  return [...files.map(({ name }) => Buffer.from(name)), ...contents].some((one) =>
    one.includes(text),
  );
}

/** What somebody can read who has the database. */
async function isInTables(url: string, text: string): Promise<boolean> {
  const rows = await Promise.all(
    ["head", "part", "line"].map((table) =>
      query(url, `SELECT FROM influxion.${table} t WHERE position('${text}' IN t::text) > 0`),
    ),
  );
  return rows.flat().length > 0;
}

export const FILES: TestBackend = {
  name: "files",
  start: async (options = {}) => onFiles(await tempDir(), options),
};

let server: Promise<PostgresServer> | undefined;

/** The server of this test file, which is started by the first test that needs it. */
export function postgres(): Promise<PostgresServer> {
  server ??= PostgresServer.start();
  return server;
}

afterAll(async () => {
  const started = await server;
  await started?.[Symbol.asyncDispose]();
});

/** A receiver on a database, which is closed with the test. */
export async function onPostgres(
  url: string,
  options: Partial<Parameters<typeof startPostgresReceiver>[0]> = {},
): Promise<ContractReceiver> {
  const receiver = await startPostgresReceiver({ url, key: KEY, port: 0, ...options });
  onTestFinished(() => receiver.close());
  return {
    url: receiver.url,
    held: () => heldIn(url),
    contains: (text) => isInTables(url, text),
    counts: async () => {
      const [row] = await query(
        url,
        "SELECT count(*)::int AS parts, coalesce(sum(repeats), 0)::int AS repeats FROM influxion.part",
      );
      return row as { parts: number; repeats: number };
    },
    async restart() {
      await receiver.close();
      return onPostgres(url, options);
    },
    close: () => receiver.close(),
  };
}

export async function heldIn(url: string): Promise<HeldGeneration[]> {
  const rows = await query(
    url,
    `SELECT h.agent AS "agentId", h.session AS "sessionId", count(*)::int AS parts,
       sum(p.lines)::int AS lines, coalesce((
         SELECT string_agg(l.payload || E'\\n', '' ORDER BY l.line_index) FROM influxion.line l
         WHERE l.session_id = h.id AND l.generation = p.generation), '') AS text
     FROM influxion.head h JOIN influxion.part p ON p.session_id = h.id
     GROUP BY h.id, p.generation ORDER BY h.agent, h.session, p.generation`,
  );
  return rows as unknown as HeldGeneration[];
}

export const POSTGRES: TestBackend = {
  name: "PostgreSQL",
  start: async (options = {}) => onPostgres(await (await postgres()).database(), options),
};

export const BACKENDS = [FILES, POSTGRES];
