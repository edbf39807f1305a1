import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Coding } from "../protocol/wire.ts";
import { errnoOf, InfluxionError } from "../shared/problem.ts";
import { CODINGS } from "./codings.ts";
import { KEY_FILE } from "./files/folder.ts";
import type { ReceiverStats } from "./files/index-db.ts";
import { type SessionSummary, Storage } from "./files/storage.ts";
import { createHandler } from "./handler.ts";
import { keptKey } from "./key.ts";
import { PART_LIMITS, type PartLimits } from "./limits.ts";

export const DEFAULT_PORT = 8787;
const LOOPBACK = "127.0.0.1";

/** A connection on which nothing moves for this long is closed. */
const IDLE_MS = 120_000;

/** How long requests may go on after `close()` before their connections are destroyed. */
const CLOSE_GRACE_MS = 500;

export interface ReceiverOptions {
  /**
   * Folder for what is received; made when absent, and refused when there are other things in
   * it. It holds conversations, so only its owner can read it.
   */
  readonly dir: string;
  /** The API key that clients must show. @default one that is made once and kept in the folder */
  readonly key?: string;
  /** Anything but a loopback address lets other machines in. @default "127.0.0.1" */
  readonly host?: string;
  /** 0 picks a free one. @default 8787 */
  readonly port?: number;
  /** Content codings that are taken and advertised; a body without one always is. @default zstd and gzip */
  readonly codings?: readonly Coding[];
  /** @default what the wire contract allows a part to be */
  readonly limits?: Partial<PartLimits>;
  /** Gets one line for each part or refusal; without control characters, secrets and content. */
  readonly log?: (line: string) => void;
  /** Milliseconds since the epoch. @default Date.now */
  readonly now?: () => number;
}

export interface Receiver {
  /** What a client's `apiUrl` must be. */
  readonly url: string;
  /** The API key that clients must show. */
  readonly key: string;
  /** What is held, by agent, session and generation, the newest one last. Not after `close()`. */
  sessions(): SessionSummary[];
  /** Counts since the folder was made. Not after `close()`. */
  stats(): ReceiverStats;
  /** Ends within a second. A request that is cut by it is not stored. */
  close(): Promise<void>;
}

/**
 * Starts a server that takes sessions over the wire contract and keeps them in files.
 *
 * @throws {InfluxionError} `RECEIVER_PORT_IN_USE`, `RECEIVER_CANNOT_LISTEN`,
 * `RECEIVER_DIR_IN_USE`, `RECEIVER_DIR_UNUSABLE`, `RECEIVER_DAMAGED`, `RECEIVER_INDEX_TOO_NEW`,
 * `RECEIVER_INDEX_UNUSABLE`, `RECEIVER_NO_KEY`, `RECEIVER_KEY_UNUSABLE`
 */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  const { host = LOOPBACK, port = DEFAULT_PORT, now = Date.now } = options;
  if (options.key === "") throw new InfluxionError("RECEIVER_NO_KEY", "the receiver needs a key");
  const dir = resolve(options.dir);
  const storage = await Storage.open(dir, now);
  const running = new Set<Promise<void>>();
  try {
    const key = options.key ?? (await keptKey(join(dir, KEY_FILE)));
    const handle = createHandler(storage, {
      key,
      codings: options.codings ?? CODINGS,
      limits: { ...PART_LIMITS, ...options.limits },
      log: options.log ?? (() => undefined),
    });
    const server = createServer((req, res) => {
      const request = handle(req, res).finally(() => running.delete(request));
      running.add(request);
    });
    // A slow uplink may take longer than Node's five minutes per request.
    server.requestTimeout = 0;
    server.setTimeout(IDLE_MS);
    await listen(server, host, port);
    let closing: Promise<void> | undefined;
    return {
      url: urlOf(server),
      key,
      sessions: () => storage.sessions(),
      stats: () => storage.stats(),
      close() {
        closing ??= closeServer(server, running).then(() => storage.close());
        return closing;
      },
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}

function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((done, failed) => {
    const fail = (error: unknown) => failed(listenError(error, host, port));
    server.once("error", fail);
    try {
      server.listen(port, host, () => {
        server.off("error", fail);
        done();
      });
    } catch (error) {
      fail(error);
    }
  });
}

function listenError(error: unknown, host: string, port: number): InfluxionError {
  if (errnoOf(error) === "EADDRINUSE") {
    return new InfluxionError(
      "RECEIVER_PORT_IN_USE",
      `port ${port} on ${host} is in use; stop what uses it, or choose another port (0 picks a free one)`,
      { cause: error },
    );
  }
  return new InfluxionError(
    "RECEIVER_CANNOT_LISTEN",
    `cannot listen on port ${port} of ${host} (${errnoOf(error)}); choose another port (0 picks a free one) or host`,
    { cause: error },
  );
}

function urlOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `http://${family === "IPv6" ? `[${address}]` : address}:${port}`;
}

async function closeServer(server: Server, running: ReadonlySet<Promise<void>>): Promise<void> {
  const closed = new Promise<void>((done) => server.close(() => done()));
  const grace = new AbortController();
  await Promise.race([
    Promise.all(running),
    sleep(CLOSE_GRACE_MS, undefined, { signal: grace.signal }).catch(() => undefined),
  ]);
  grace.abort();
  server.closeAllConnections();
  await Promise.all([closed, ...running]);
}
