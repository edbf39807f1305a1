import { once } from "node:events";
import { join, resolve } from "node:path";
import { count, plain } from "../shared/text.ts";
import { KEY_FILE } from "./files/folder.ts";
import type { ServeOptions, Service } from "./serve.ts";
import { type Receiver, startReceiver } from "./server.ts";

/** What a receiver needs that runs until it is stopped, wherever it keeps what it receives. */
export interface RunOptions extends Omit<ServeOptions, "log"> {
  /** The key and where it comes from, e.g. `--key`. */
  readonly givenKey?: GivenKey | undefined;
  /** Ends the receiver. */
  readonly signal: AbortSignal;
  /** Shows text, which ends in a newline, to the user. */
  readonly write: (text: string) => void;
  /** Calls back when the files of the certificate are to be read again. @default never */
  readonly onHangup?: ((listener: () => void) => void) | undefined;
}

export interface RunReceiverOptions extends RunOptions {
  /** Folder for what is received; made when absent. It keeps a key, too, when none is given. */
  readonly dir: string;
}

export interface GivenKey {
  readonly value: string;
  readonly origin: string;
}

/**
 * Receives until `signal` is aborted: `openclaw influxion receive`.
 * @throws {InfluxionError} when it cannot start; see {@link startReceiver}.
 */
export async function runReceiver(options: RunReceiverOptions): Promise<void> {
  const { givenKey, signal, write, onHangup, ...serve } = options;
  const dir = resolve(options.dir);
  const receiver = await startReceiver({
    ...serve,
    dir,
    ...(givenKey === undefined ? {} : { key: givenKey.value }),
    log: logTo(write),
  });
  if (serve.tls !== undefined) onHangup?.(reloader(receiver, write));
  write(welcome(receiver, dir, givenKey));
  if (!signal.aborted) await once(signal, "abort");
  const summary = summarize(receiver);
  await receiver.close();
  write(summary);
}

/** Each line with its instant: ISO 8601 in UTC, as in what is received, to the second. */
export function logTo(write: (text: string) => void): (line: string) => void {
  return (line) => write(`${new Date().toISOString().replace(/\.\d+Z$/, "Z")} ${line}\n`);
}

/** Reads the certificate again, and tells; a bad one leaves the one before in use. */
export function reloader(
  service: Pick<Service, "reloadTls">,
  write: (text: string) => void,
): () => void {
  const log = logTo(write);
  return () => {
    service.reloadTls().then(
      () => log("the certificate was read again"),
      (error: Error) => log(plain(error.message)),
    );
  };
}

function welcome({ url, key }: Receiver, dir: string, givenKey: GivenKey | undefined): string {
  const apiKey = givenKey === undefined ? key : `<the key from ${givenKey.origin}>`;
  return [
    `Receiving sessions at ${url}`,
    `Storing them in ${dir}`,
    ...(givenKey === undefined ? [`Keeping the API key in ${join(dir, KEY_FILE)}`] : []),
    "",
    "To upload to it, put this into openclaw.json:",
    configFor(url, apiKey),
    "",
    "Press Ctrl-C to stop.",
    "",
  ].join("\n");
}

/** What to put into openclaw.json. */
function configFor(apiUrl: string, apiKey: string): string {
  const config = { apiUrl, apiKey, deploymentId: "local", projectId: "local" };
  return JSON.stringify(
    { plugins: { entries: { influxion: { enabled: true, config } } } },
    null,
    2,
  );
}

function summarize(receiver: Receiver): string {
  const stats = receiver.stats();
  const sessions = new Set(
    receiver.sessions().map((s) => JSON.stringify([s.agentId, s.sessionId])),
  );
  const refused = Object.values(stats.refusals).reduce((sum, n) => sum + n, 0);
  // A terminal has shown "^C" on the last line.
  return [
    `\nStopped. The folder holds ${count(stats.accepted, "line")} of ${count(sessions.size, "session")}, received in ${count(stats.parts, "part")}`,
    ...(stats.rejected > 0 ? [`${count(stats.rejected, "line")} rejected`] : []),
    ...(stats.repeats > 0 ? [`${count(stats.repeats, "part")} sent more than once`] : []),
    ...(refused > 0 ? [`${count(refused, "request")} refused`] : []),
  ]
    .join("; ")
    .concat(".\n");
}
