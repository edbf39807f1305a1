import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { resolve } from "node:path";
import { count } from "../text.ts";
import { type Receiver, startReceiver } from "./server.ts";

export interface RunReceiverOptions {
  /** Folder for what is received; made when absent. */
  readonly dir: string;
  /** 0 picks a free one. @default 8787 */
  readonly port?: number;
  /** @default a random one */
  readonly key?: string;
  /** Ends the receiver. */
  readonly signal: AbortSignal;
  /** Shows text, which ends in a newline, to the user. */
  readonly write: (text: string) => void;
}

/**
 * Receives until `signal` is aborted: `openclaw influxion receive`.
 * @throws {InfluxionError} when it cannot start; see {@link startReceiver}.
 */
export async function runReceiver(options: RunReceiverOptions): Promise<void> {
  const { port, signal, write } = options;
  const dir = resolve(options.dir);
  const key = options.key ?? randomBytes(24).toString("base64url");
  const receiver = await startReceiver({
    dir,
    key,
    ...(port === undefined ? {} : { port }),
    log: (line) => write(`${line}\n`),
  });
  write(welcome(receiver.url, dir, key));
  if (!signal.aborted) await once(signal, "abort");
  const summary = summarize(receiver);
  await receiver.close();
  write(summary);
}

function welcome(url: string, dir: string, key: string): string {
  const config = { apiUrl: url, apiKey: key, deploymentId: "local", projectId: "local" };
  const json = JSON.stringify(
    { plugins: { entries: { influxion: { enabled: true, config } } } },
    null,
    2,
  );
  return [
    `Receiving sessions at ${url}`,
    `Storing them in ${dir}`,
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
  return [
    `Stopped. The folder holds ${count(stats.accepted, "line")} of ${count(sessions.size, "session")}, received in ${count(stats.parts, "part")}`,
    ...(stats.rejected > 0 ? [`${count(stats.rejected, "line")} rejected`] : []),
    ...(stats.repeats > 0 ? [`${count(stats.repeats, "part")} sent more than once`] : []),
    ...(refused > 0 ? [`${count(refused, "request")} refused`] : []),
  ]
    .join("; ")
    .concat(".\n");
}
