import { once } from "node:events";
import { logTo, type RunOptions, reloader } from "../run.ts";
import { startPostgresReceiver } from "./receiver.ts";

export interface RunPostgresOptions extends RunOptions {
  readonly url: string;
  readonly migrate: boolean;
  readonly pool?: number | undefined;
  readonly keepDays?: number | undefined;
}

/**
 * Receives into PostgreSQL until `signal` is aborted: `receive --store`.
 * @throws {InfluxionError} when it cannot start; see {@link startPostgresReceiver}.
 */
export async function runPostgresReceiver(options: RunPostgresOptions): Promise<void> {
  const { givenKey, signal, write, onHangup, ...rest } = options;
  const log = logTo(write);
  const receiver = await startPostgresReceiver({ ...rest, key: givenKey?.value, log });
  if (rest.tls !== undefined) onHangup?.(reloader(receiver, write));
  write(welcome(receiver.url, options.url, givenKey?.origin));
  if (!signal.aborted) await once(signal, "abort");
  log("stopping: parts that have begun are stored first");
  await receiver.close();
  log("stopped");
}

function welcome(url: string, store: string, keyOrigin: string | undefined): string {
  const keys = "Taking the keys that influxion-receive keys add makes";
  return [
    `Receiving sessions at ${url}`,
    `Storing them in PostgreSQL, ${withoutPassword(store)}`,
    keyOrigin === undefined ? keys : `${keys}, and the one from ${keyOrigin}`,
    "Press Ctrl-C to stop.",
    "",
  ].join("\n");
}

/** Host and database alone: parameters may have secrets as well. */
function withoutPassword(store: string): string {
  const { host, pathname } = new URL(store);
  return `${host}${pathname}`;
}
