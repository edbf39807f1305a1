import { once } from "node:events";
import { setTimeout as sleep } from "node:timers/promises";
import { type HostProcess, terminate } from "./openclaw-process.ts";

/** A Gateway that is up. */
export interface Gateway extends AsyncDisposable {
  /** Without trailing slash. */
  readonly url: string;
  readonly token: string;
  /** What it has written to stdout and stderr so far. */
  readonly log: () => string;
  /** `null` while it runs. */
  readonly exitCode: () => number | null;
  /**
   * Says something and waits for the answer.
   * @param sessionKey `agent:<agentId>:<name>`
   * @default "agent:main:main"
   */
  turn(message: string, sessionKey?: string): Promise<string>;
  /**
   * Does something that the Gateway answers with a reload of its config, and waits for that.
   * Not during a turn: 2026.9.6 drops a change that meets one.
   */
  reload(edit: () => Promise<unknown>): Promise<void>;
  stop(): Promise<void>;
}

/** A failure in a host is told by the host: for a test that failed. */
export function tellLastWords(gateway: Gateway | undefined): void {
  process.stderr.write(`The Gateway's last words:\n${gateway?.log().slice(-6000)}\n`);
}

/** A reload takes half a second, and more on a busy machine. */
const RELOAD_TIMEOUT_MS = 60_000;

export interface GatewayAddress {
  readonly port: number;
  readonly token: string;
}

/** @throws when the Gateway ends or is not ready in time; the message holds its last lines */
export async function gatewayOf(
  child: HostProcess,
  { port, token }: GatewayAddress,
  readyTimeoutMs = 300_000,
): Promise<Gateway> {
  let log = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      log += text;
    });
  }
  const url = `http://127.0.0.1:${port}`;
  try {
    await ready(child, `${url}/readyz`, readyTimeoutMs);
  } catch (error) {
    await terminate(child);
    throw new Error(`${(error as Error).message}; its last lines:\n${log.slice(-3000)}`);
  }
  const stop = () => terminate(child);
  return {
    url,
    token,
    log: () => log,
    exitCode: () => child.exitCode,
    turn: (message, sessionKey = "agent:main:main") => turn(url, token, sessionKey, message),
    async reload(edit) {
      const reloads = () => log.split("config hot reload applied").length;
      const before = reloads();
      await edit();
      const deadline = Date.now() + RELOAD_TIMEOUT_MS;
      while (reloads() === before) {
        if (Date.now() > deadline) throw new Error("the Gateway did not reload its config");
        await sleep(100);
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

async function ready(child: HostProcess, url: string, timeoutMs: number): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  while (child.exitCode === null && child.signalCode === null) {
    const status = await fetch(url, { signal: AbortSignal.timeout(2000) }).then(
      async (response) => {
        await response.body?.cancel();
        return response.status;
      },
      () => 0,
    );
    if (status === 200) return;
    if (Date.now() > deadline) throw new Error(`the Gateway was not ready after ${timeoutMs} ms`);
    await sleep(250);
  }
  if (!child.stdout.readableEnded) await once(child, "close");
  throw new Error(`the Gateway ended with exit code ${child.exitCode}`);
}

/** Through the HTTP endpoint rather than `openclaw agent`, which costs a host's start for each turn. */
async function turn(
  url: string,
  token: string,
  sessionKey: string,
  message: string,
): Promise<string> {
  const response = await fetch(`${url}/v1/chat/completions`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${token}`,
      "content-type": "application/json",
      "x-openclaw-agent-id": sessionKey.split(":")[1] ?? "main",
      "x-openclaw-session-key": sessionKey,
    },
    body: JSON.stringify({ model: "openclaw", messages: [{ role: "user", content: message }] }),
    signal: AbortSignal.timeout(120_000),
  });
  if (!response.ok) throw new Error(`the turn failed: ${response.status} ${await response.text()}`);
  const { choices } = (await response.json()) as { choices: { message: { content: string } }[] };
  return choices[0]?.message.content ?? "";
}
