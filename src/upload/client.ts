import type { Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { buildConnector, Dispatcher } from "undici";
import type { TlsOptions } from "../config/config.ts";
import {
  CHECK_HEADER,
  CONTENT_HEADER,
  FIRST_LINE_HEADER,
  GENERATION_HEADER,
  INGEST_PATH,
  REDACTION_HEADER,
} from "../protocol/wire.ts";
import type { Problem } from "../shared/problem.ts";
import { type Answer, readAnswer } from "./answer.ts";
import type { Body } from "./body.ts";
import { IdleWatch } from "./idle-watch.ts";
import { addressOf, chooseProxy, type HostProxy, type HttpProxy, readRoots } from "./proxy.ts";
import { readTlsFiles, secureContextOf } from "./tls-files.ts";
import type { Transform } from "./transform.ts";
import type { ConnectOptions } from "./tunnel.ts";
import { Agent, createConnector, request, showing } from "./undici.ts";

export interface ClientOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Idle limit, in ms. */
  readonly timeoutMs: number;
  /** Version of this plugin, for the User-Agent. */
  readonly version: string;
  /** A proxy the host is configured with; the environment's variables are used without it. */
  readonly proxy?: HostProxy | undefined;
  /** See {@link ConnectOptions}. */
  readonly onSocket?: ((socket: Socket) => void) | undefined;
  /** Files for TLS with the API. @default none */
  readonly tls?: TlsOptions | undefined;
  /** Notified of what is wrong with these files and no obstacle. */
  readonly onWarning?: ((problem: Problem) => void) | undefined;
}

export interface Attempt {
  readonly idempotencyKey: string;
  /** See {@link GENERATION_HEADER}. */
  readonly generation: number;
  /** `lineIndex` of the body's first line. */
  readonly firstLine: number;
  readonly transform: Pick<Transform, "content" | "redaction">;
  readonly body: Body;
  readonly signal: AbortSignal;
  /** Notified how many compressed bytes were handed to the socket. */
  readonly onBytes?: (bytes: number) => void;
}

/** What came back, and whether the whole body had left before. */
export interface AttemptResult {
  readonly answer: Answer;
  readonly bodySent: boolean;
}

/** Speaks to one API with a connection pool of its own. */
export interface Client {
  /**
   * One attempt at one part.
   * @throws what the transport or the body's source threw, `IDLE_TIMEOUT`, or the signal's reason
   */
  send(attempt: Attempt): Promise<AttemptResult>;
  /**
   * Asks once for a deletion.
   * @param query what is to be deleted, see docs/wire.md
   * @throws what the transport threw, `IDLE_TIMEOUT`, or the signal's reason
   */
  delete(query: URLSearchParams, signal: AbortSignal): Promise<Answer>;
  /**
   * Asks once whether uploads would be taken; nothing is sent of any session.
   * @param query what they would be for, see docs/wire.md
   * @throws what the transport threw, `IDLE_TIMEOUT`, or the signal's reason
   */
  check(query: URLSearchParams, signal: AbortSignal): Promise<Answer>;
  /** Host and port of the API, for people. */
  readonly address: string;
  /** Whether an earlier request on this client was answered, so that a connection may be a reused one. */
  readonly hasConnected: boolean;
  /** Ends every connection at once. */
  close(): Promise<void>;
}

/**
 * @throws {InfluxionError} `PROXY_INVALID` when the proxy that applies cannot be used, `TLS_INVALID`
 *   when a file of `tls` cannot
 */
export async function createClient(options: ClientOptions): Promise<Client> {
  const { apiUrl, apiKey, timeoutMs, version } = options;
  const url = new URL(`${apiUrl}${INGEST_PATH}`);
  const proxy = chooseProxy(apiUrl, options.proxy);
  const roots = proxy === null ? {} : await readRoots(proxy);
  const secureContext = await secureContextFor(url, options);
  const closing = new AbortController();
  const { onSocket } = options;
  const { signal } = closing;
  const route = routeTo(url, proxy, { timeoutMs, roots, secureContext, signal, onSocket });
  const headers = {
    ...route.headers,
    authorization: `Bearer ${apiKey}`,
    accept: "application/json",
    "accept-encoding": "identity",
    "user-agent": `influxion-openclaw/${version} node/${process.versions.node}`,
  };
  const connecting = `connecting${proxy === null ? "" : ` through the proxy set by ${proxy.source}`}`;
  let hasConnected = false;
  const ask = async (exchange: Exchange): Promise<Answer> => {
    // Without a body nothing shows when the connection is there.
    const during = exchange.body ? connecting : `${connecting} or waiting for the answer`;
    const answer = await answerTo(route, exchange, new IdleWatch(timeoutMs, during));
    hasConnected = true;
    return answer;
  };

  return {
    address: addressOf(url),
    get hasConnected() {
      return hasConnected;
    },
    async send(attempt) {
      let isSent = false;
      let bodySent = false;
      const { body, signal, onBytes } = attempt;
      // With it, headers and body go in one write.
      const length = await body.length();
      const ofBody = length === undefined ? {} : { "content-length": String(length) };
      const answer = await ask({
        method: "POST",
        path: route.path,
        headers: { ...headers, ...headersOf(attempt), ...ofBody },
        signal,
        body: (idle) =>
          watched(body, idle, onBytes, () => {
            isSent = true;
          }),
        onAnswer: () => {
          bodySent = isSent;
        },
      });
      return { answer, bodySent };
    },
    delete(query, signal) {
      // Without a body: that of a DELETE may be refused on the way (RFC 9110, 9.3.5).
      return ask({ method: "DELETE", path: `${route.path}?${query}`, headers, signal });
    },
    check(query, signal) {
      const type = { "content-type": "application/x-ndjson", [CHECK_HEADER]: "1" };
      const path = `${route.path}?${query}`;
      return ask({ method: "POST", path, headers: { ...headers, ...type }, signal });
    },
    async close() {
      closing.abort();
      await route.dispatcher.destroy();
    },
  };
}

async function secureContextFor(
  { protocol }: URL,
  { tls = {}, onWarning }: ClientOptions,
): Promise<SecureContext | undefined> {
  if (protocol !== "https:") return undefined;
  const files = await readTlsFiles({ tls });
  for (const warning of files.warnings) onWarning?.(warning);
  return secureContextOf(files);
}

function headersOf({
  body,
  idempotencyKey,
  generation,
  firstLine,
  transform,
}: Attempt): Readonly<Record<string, string>> {
  return {
    "content-type": "application/x-ndjson",
    "content-encoding": body.coding,
    "idempotency-key": idempotencyKey,
    [GENERATION_HEADER]: String(generation),
    [FIRST_LINE_HEADER]: String(firstLine),
    [CONTENT_HEADER]: transform.content,
    [REDACTION_HEADER]: transform.redaction,
  };
}

interface Exchange {
  readonly method: "POST" | "DELETE";
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly body?: (idle: IdleWatch) => AsyncIterable<Buffer>;
  /** Notified when the answer begins. */
  readonly onAnswer?: () => void;
}

/** The answer to one request, as a whole; `idle` ends it when nothing moves. */
async function answerTo(
  { dispatcher, origin, proxy }: Route,
  { method, path, headers, signal, body, onAnswer }: Exchange,
  idle: IdleWatch,
): Promise<Answer> {
  const stop = AbortSignal.any([signal, idle.signal]);
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  // Where nobody waits for it any more, it is no news.
  aborted.catch(() => undefined);
  const abort = (): void => reject(stop.reason);
  if (stop.aborted) abort();
  else stop.addEventListener("abort", abort);
  try {
    const answered = request(dispatcher, {
      origin,
      path,
      method,
      headers,
      body: (body?.(idle) ?? null) as unknown as Dispatcher.DispatchOptions["body"] & null,
      signal: stop,
      // The watch is the one idle limit; undici's timers know nothing of a body's progress.
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    // undici hears the signal only once there is a connection.
    const response = await Promise.race([answered, aborted]);
    idle.moved("reading the answer");
    onAnswer?.();
    return { ...(await readAnswer(response)), proxy };
  } catch (error) {
    if (stop.aborted) throw stop.reason;
    throw error;
  } finally {
    // Node keeps a composed signal, and all that its listeners hold, for as long as it has one.
    stop.removeEventListener("abort", abort);
    idle.stop();
  }
}

/** Where a request is sent, so that it gets to the API. */
interface Route {
  readonly dispatcher: Dispatcher;
  readonly origin: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  /** What sets the proxy that answers may come from. */
  readonly proxy?: string;
}

function routeTo(api: URL, proxy: HttpProxy | null, options: ConnectOptions): Route {
  const dispatcher = (connect: buildConnector.connector): Dispatcher =>
    new Agent({ connect, pipelining: 1, allowH2: false });
  const direct = { origin: api.origin, path: api.pathname, headers: {} };
  if (proxy === null) return { ...direct, dispatcher: dispatcher(directConnector(options)) };
  if (api.protocol === "https:") {
    return { ...direct, dispatcher: dispatcher(throughProxy("tunnelConnector", proxy, options)) };
  }
  const { url, authorization, source } = proxy;
  return {
    proxy: source,
    dispatcher: dispatcher(throughProxy("proxyConnector", proxy, options)),
    origin: url.origin,
    path: api.href,
    headers: {
      host: api.host,
      ...(authorization === undefined ? {} : { "proxy-authorization": authorization }),
    },
  };
}

function directConnector({
  timeoutMs: timeout,
  secureContext,
  onSocket,
}: ConnectOptions): buildConnector.connector {
  const own = secureContext === undefined ? {} : { secureContext };
  return showing(createConnector({ timeout, ...own }), onSocket);
}

/** What is needed for a proxy is loaded at the first connection through one. */
function throughProxy(
  kind: "tunnelConnector" | "proxyConnector",
  proxy: HttpProxy,
  options: ConnectOptions,
): buildConnector.connector {
  let connector: Promise<buildConnector.connector> | undefined;
  return (target, callback) => {
    connector ??= import("./tunnel.ts").then((tunnel) => tunnel[kind](proxy, options));
    connector.then(
      (connect) => connect(target, callback),
      (error: Error) => callback(error, null),
    );
  };
}

async function* watched(
  body: Body,
  idle: IdleWatch,
  onBytes: ((bytes: number) => void) | undefined,
  onEnd: () => void,
): AsyncGenerator<Buffer> {
  idle.moved("reading the transcript");
  for await (const chunk of body.chunks) {
    idle.handed(chunk.length);
    onBytes?.(chunk.length);
    yield chunk;
    idle.moved("reading the transcript");
  }
  onEnd();
  idle.moved("waiting for the answer");
}
