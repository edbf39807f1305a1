import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { onTestFinished } from "vitest";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { type Receiver, type ReceiverOptions, startReceiver } from "../../src/receiver/server.ts";
import { headersFor, KEY } from "./wire.ts";

export async function tempDir(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "influxion-receiver-"));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** A receiver on a free port that is closed with the test. */
export async function receiverIn(
  dir: string,
  options: Partial<ReceiverOptions> = {},
): Promise<Receiver> {
  const receiver = await startReceiver({ dir, key: KEY, port: 0, ...options });
  onTestFinished(() => receiver.close());
  return receiver;
}

/** A receiver in a process of its own, which is killed with the test at the latest. */
export async function receiverProcess(dir: string): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(join(import.meta.dirname, "child.ts"), [dir]);
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  const ended = once(child, "exit").then(() => {
    throw new Error("the receiver's process ended");
  });
  const [{ url }] = await Promise.race([once(child, "message"), ended]);
  return { child, url };
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // biome-ignore lint/suspicious/noExplicitAny: the tests are what checks its shape
  readonly json: any;
}

/** Sends one part; text is gzipped, bytes go as they are. */
export async function send(
  url: string,
  idempotencyKey: string,
  content: string | Uint8Array<ArrayBuffer>,
  headers: Record<string, string | undefined> = {},
): Promise<Answered> {
  const all = Object.entries({ ...headersFor(idempotencyKey), ...headers });
  const response = await fetch(url + INGEST_PATH, {
    method: "POST",
    headers: all.filter((pair): pair is [string, string] => pair[1] !== undefined),
    body: typeof content === "string" ? gzipSync(content) : content,
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

/** Asks for a deletion with these parameters. */
export async function deleteFrom(
  url: string,
  parameters: Readonly<Record<string, string | number>> | string,
  authorization = `Bearer ${KEY}`,
): Promise<Answered> {
  const query =
    typeof parameters === "string"
      ? parameters
      : new URLSearchParams(
          Object.entries(parameters).map(([name, value]): [string, string] => [name, `${value}`]),
        );
  const response = await fetch(`${url}${INGEST_PATH}?${query}`, {
    method: "DELETE",
    headers: { authorization },
  });
  return { status: response.status, headers: response.headers, json: await response.json() };
}

export async function fileOf(
  receiver: Receiver,
  sessionId = "s1",
  generation = 0,
): Promise<string> {
  const found = receiver
    .sessions()
    .find((held) => held.sessionId === sessionId && held.generation === generation);
  return found === undefined ? "" : readFile(found.file, "utf8");
}
