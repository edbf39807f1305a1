import type { Config } from "../config/config.ts";
import { connect } from "../run/connect.ts";
import { asInfluxionError } from "../shared/problem.ts";
import type { Answer } from "../upload/answer.ts";
import type { Client } from "../upload/client.ts";
import { classifyFailure } from "../upload/failure.ts";
import { chooseProxy, type HostProxy, type HttpProxy, ProxyError } from "../upload/proxy.ts";
import { type Trace, traceConnections } from "./trace.ts";

/** So long a check waits for the API at most, in ms, whatever uploads do. */
const PATIENCE_MS = 10_000;

export interface ExchangeOptions {
  readonly config: Config;
  readonly apiKey: string;
  readonly proxy?: HostProxy | undefined;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** How the one request of a check went, by the same way as uploads go. */
export interface Exchange {
  readonly url: URL;
  readonly proxy: HttpProxy | null;
  readonly trace: Trace;
  readonly outcome: ExchangeOutcome;
}

export type ExchangeOutcome =
  /** Times in ms since the epoch. */
  | { kind: "answered"; answer: Answer; sentAt: number; receivedAt: number }
  | { kind: "failed"; reason: string; isProxys: boolean }
  /** There is no way to try: what sets it cannot be used. */
  | { kind: "unusable"; reason: string };

/**
 * Asks the API whether uploads would be taken.
 * @throws the signal's reason
 */
export async function exchange(options: ExchangeOptions): Promise<Exchange> {
  const { config, signal } = options;
  const url = new URL(config.apiUrl);
  const { trace, onSocket } = traceConnections();
  const timeoutMs = Math.min(config.upload.timeoutMs, PATIENCE_MS);
  const patient = { ...config, upload: { ...config.upload, timeoutMs } };
  try {
    const proxy = chooseProxy(config.apiUrl, options.proxy);
    await using client = closing(await connect({ ...options, config: patient }, { onSocket }));
    const query = new URLSearchParams({ projectId: config.projectId });
    const outcome = await ask(options, client, query);
    return { url, proxy, trace, outcome };
  } catch (error) {
    signal.throwIfAborted();
    const reason = asInfluxionError(error).message;
    return { url, proxy: null, trace, outcome: { kind: "unusable", reason } };
  }
}

async function ask(
  { signal, now }: ExchangeOptions,
  client: Client,
  query: URLSearchParams,
): Promise<ExchangeOutcome> {
  const sentAt = now();
  try {
    return {
      kind: "answered",
      answer: await client.check(query, signal),
      sentAt,
      receivedAt: now(),
    };
  } catch (error) {
    signal.throwIfAborted();
    const { reason } = classifyFailure(error, client.address);
    return { kind: "failed", reason, isProxys: error instanceof ProxyError };
  }
}

function closing(client: Client): Client & AsyncDisposable {
  return Object.assign(client, { [Symbol.asyncDispose]: () => client.close() });
}
