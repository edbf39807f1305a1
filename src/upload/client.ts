import type { Dispatcher } from "undici";
// One by one: undici as a whole, with fetch, caches and mocks, takes twice the time and memory to load.
import request from "undici/lib/api/api-request.js";
import Agent from "undici/lib/dispatcher/agent.js";
import EnvHttpProxyAgent from "undici/lib/dispatcher/env-http-proxy-agent.js";
import { isLoopbackUrl } from "../config.ts";
import { InfluxionError } from "../problem.ts";
import { FIRST_LINE_HEADER, GENERATION_HEADER, INGEST_PATH, MAX_ANSWER_BYTES } from "../wire.ts";
import type { Body } from "./body.ts";
import type { Answer } from "./classify.ts";

/**
 * What the kernel may hold of a body that was handed to it, in bytes (tcp(7), tcp_wmem).
 * Nothing tells when it leaves, so the idle limit grows with it, up to four times
 * `upload.timeoutMs`: a slow uplink that makes progress is no failure.
 */
const KERNEL_BYTES = 4 * 1024 * 1024;
const MOST_PATIENCE = 4;

/** No byte moved and no answer came for `upload.timeoutMs`, or longer while some may still have been on their way. */
export class IdleTimeoutError extends InfluxionError {
  constructor(ms: number, during: string) {
    super("IDLE_TIMEOUT", `nothing moved for ${ms} ms while ${during}`);
  }
}

export interface ClientOptions {
  readonly apiUrl: string;
  readonly apiKey: string;
  /** Idle limit, in ms. */
  readonly timeoutMs: number;
  /** Version of this plugin, for the User-Agent. */
  readonly version: string;
  /** A proxy the host is configured with; the environment's variables are used without it. */
  readonly proxyUrl?: string | undefined;
}

export interface Attempt {
  readonly idempotencyKey: string;
  /** See {@link GENERATION_HEADER}. */
  readonly generation: number;
  /** `lineIndex` of the body's first line. */
  readonly firstLine: number;
  readonly body: Body;
  readonly signal: AbortSignal;
  /** Told how many compressed bytes were handed to the socket. */
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
   * @throws what the transport or the body's source threw, {@link IdleTimeoutError}, or the signal's reason
   */
  send(attempt: Attempt): Promise<AttemptResult>;
  /** Whether an earlier request on this client was answered, so that a connection may be a reused one. */
  readonly hasConnected: boolean;
  /** Ends every connection at once. */
  close(): Promise<void>;
}

export function createClient(options: ClientOptions): Client {
  const { apiUrl, apiKey, timeoutMs, version } = options;
  const url = new URL(`${apiUrl}${INGEST_PATH}`);
  const dispatcher = createDispatcher(options);
  const headers = {
    authorization: `Bearer ${apiKey}`,
    "content-type": "application/x-ndjson",
    accept: "application/json",
    "user-agent": `influxion-openclaw/${version} node/${process.versions.node}`,
  };
  let hasConnected = false;

  return {
    get hasConnected() {
      return hasConnected;
    },
    async send({ idempotencyKey, generation, firstLine, body, signal, onBytes }) {
      const idle = new IdleWatch(timeoutMs);
      const stop = AbortSignal.any([signal, idle.signal]);
      let bodySent = false;
      try {
        const response = await request.call(dispatcher, {
          origin: url.origin,
          path: url.pathname,
          method: "POST",
          headers: {
            ...headers,
            "content-encoding": body.coding,
            "idempotency-key": idempotencyKey,
            [GENERATION_HEADER]: String(generation),
            [FIRST_LINE_HEADER]: String(firstLine),
          },
          body: watched(body, idle, onBytes, () => {
            bodySent = true;
          }) as unknown as Dispatcher.DispatchOptions["body"] & null,
          signal: stop,
          // The watch above is the one idle limit; undici's timers know nothing of a body's progress.
          headersTimeout: 0,
          bodyTimeout: 0,
        });
        idle.moved("reading the answer");
        const sentBefore = bodySent;
        const answer = await readAnswer(response);
        hasConnected = true;
        return { answer, bodySent: sentBefore };
      } catch (error) {
        if (stop.aborted) throw stop.reason;
        throw error;
      } finally {
        idle.stop();
      }
    },
    close: () => dispatcher.destroy(),
  };
}

/** Loopback never goes through a proxy; everything else honours the host's or the environment's. */
function createDispatcher({ apiUrl, timeoutMs, proxyUrl }: ClientOptions): Dispatcher {
  const options = { connect: { timeout: timeoutMs }, pipelining: 1, allowH2: false };
  if (isLoopbackUrl(apiUrl)) return new Agent(options);
  const proxies = proxyUrl === undefined ? {} : { httpProxy: proxyUrl, httpsProxy: proxyUrl };
  return new EnvHttpProxyAgent({ ...options, ...proxies });
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

/** A receipt is small: it must arrive within one idle limit as a whole, and is read up to a bound. */
async function readAnswer({ statusCode, headers, body }: Dispatcher.ResponseData): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop destroys the body, and with it a connection that would never end.
    if (bytes > MAX_ANSWER_BYTES) break;
  }
  return {
    status: statusCode,
    retryAfter: single(headers["retry-after"]),
    contentType: single(headers["content-type"]),
    location: single(headers.location),
    acceptEncoding: all(headers["accept-encoding"]),
    body: Buffer.concat(chunks).toString("utf8", 0, MAX_ANSWER_BYTES),
    endless: bytes > MAX_ANSWER_BYTES,
  };
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function all(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join() : value;
}

/** Aborts its signal when nothing moved for `ms`, or longer while what was handed over may still be moving. */
class IdleWatch {
  readonly #abort = new AbortController();
  readonly #ms: number;
  #timer: NodeJS.Timeout;
  #limit: number;
  #handed = 0;
  #during = "connecting";

  constructor(ms: number) {
    this.#ms = ms;
    this.#limit = ms;
    this.#timer = this.#start();
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  moved(during: string): void {
    this.#during = during;
    this.#timer.refresh();
  }

  /** So many more bytes are with the kernel. */
  handed(bytes: number): void {
    this.#during = "sending the part";
    this.#handed += bytes;
    const share = Math.min(1, this.#handed / KERNEL_BYTES);
    this.#limit = Math.round(this.#ms * (1 + (MOST_PATIENCE - 1) * share));
    clearTimeout(this.#timer);
    this.#timer = this.#start();
  }

  #start(): NodeJS.Timeout {
    return setTimeout(() => {
      this.#abort.abort(new IdleTimeoutError(this.#limit, this.#during));
    }, this.#limit);
  }

  /** After this the signal never fires. */
  stop(): void {
    clearTimeout(this.#timer);
  }
}
