import { once } from "node:events";
import { join, resolve } from "node:path";
import { count } from "../shared/text.ts";
import { KEY_FILE } from "./files/folder.ts";
import { type Receiver, startReceiver } from "./server.ts";

export interface RunReceiverOptions {
  /** Folder for what is received; made when absent. */
  readonly dir: string;
  /** 0 picks a free one. @default 8787 */
  readonly port?: number;
  /** The key and where it comes from, e.g. `--key`. @default one that is kept in the folder */
  readonly givenKey?: GivenKey | undefined;
  /** Ends the receiver. */
  readonly signal: AbortSignal;
  /** Shows text, which ends in a newline, to the user. */
  readonly write: (text: string) => void;
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
  const { port, givenKey, signal, write } = options;
  const dir = resolve(options.dir);
  const receiver = await startReceiver({
    dir,
    ...(port === undefined ? {} : { port }),
    ...(givenKey === undefined ? {} : { key: givenKey.value }),
    log: (line) => write(`${timestamp()} ${line}\n`),
  });
  write(welcome(receiver, dir, givenKey));
  if (!signal.aborted) await once(signal, "abort");
  const summary = summarize(receiver);
  await receiver.close();
  write(summary);
}

/** ISO 8601 in UTC, as in what is received, to the second. */
function timestamp(): string {
  return new Date().toISOString().replace(/\.\d+Z$/, "Z");
}

function welcome({ url, key }: Receiver, dir: string, givenKey: GivenKey | undefined): string {
  const apiKey = givenKey === undefined ? key : `<the key from ${givenKey.origin}>`;
  const config = { apiUrl: url, apiKey, deploymentId: "local", projectId: "local" };
  const json = JSON.stringify(
    { plugins: { entries: { influxion: { enabled: true, config } } } },
    null,
    2,
  );
  return [
    `Receiving sessions at ${url}`,
    `Storing them in ${dir}`,
    ...(givenKey === undefined ? [`Keeping the API key in ${join(dir, KEY_FILE)}`] : []),
    "",
    "To upload to it, put this into openclaw.json:",
    json,
    "",
    "Press Ctrl-C to stop.",
    "",
  ].join("\n");
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
