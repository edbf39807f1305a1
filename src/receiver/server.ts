import { join, resolve } from "node:path";
import { InfluxionError } from "../shared/problem.ts";
import { singleKey } from "./access.ts";
import { KEY_FILE } from "./files/folder.ts";
import type { ReceiverStats } from "./files/index-db.ts";
import { type SessionSummary, Storage } from "./files/storage.ts";
import { keptKey } from "./key.ts";
import type { Refusal } from "./refusal.ts";
import { type ServeOptions, serve } from "./serve.ts";

/** How long requests may go on after `close()` before their connections are destroyed. */
const CLOSE_GRACE_MS = 500;

export interface ReceiverOptions extends ServeOptions {
  /**
   * Folder for what is received; made when absent, and refused when there are other things in
   * it. It holds conversations, so only its owner can read it.
   */
  readonly dir: string;
  /** The API key that clients must show. @default one that is made once and kept in the folder */
  readonly key?: string;
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
  /** Reads the files of the certificate again. @throws {InfluxionError} `RECEIVER_TLS_UNUSABLE` */
  reloadTls(): Promise<void>;
  /** Ends within a second. A request that is cut by it is not stored. */
  close(): Promise<void>;
}

/**
 * Starts a server that takes sessions over the wire contract and keeps them in files.
 *
 * @throws {InfluxionError} `RECEIVER_PORT_IN_USE`, `RECEIVER_CANNOT_LISTEN`, `RECEIVER_TLS_UNUSABLE`,
 * `RECEIVER_DIR_IN_USE`, `RECEIVER_DIR_UNUSABLE`, `RECEIVER_DAMAGED`, `RECEIVER_INDEX_TOO_NEW`,
 * `RECEIVER_INDEX_UNUSABLE`, `RECEIVER_NO_KEY`, `RECEIVER_KEY_UNUSABLE`
 */
export async function startReceiver(options: ReceiverOptions): Promise<Receiver> {
  if (options.key === "") throw new InfluxionError("RECEIVER_NO_KEY", "the receiver needs a key");
  const dir = resolve(options.dir);
  const storage = await Storage.open(dir, options.now ?? Date.now);
  try {
    const key = options.key ?? (await keptKey(join(dir, KEY_FILE)));
    const kept = {
      backend: storage,
      access: singleKey(key),
      graceMs: CLOSE_GRACE_MS,
      onRefused: ({ code, message }: Refusal) => storage.countRefusal(code, message),
    };
    const service = await serve(kept, options);
    return {
      ...service,
      key,
      sessions: () => storage.sessions(),
      stats: () => storage.stats(),
    };
  } catch (error) {
    await storage.close();
    throw error;
  }
}
