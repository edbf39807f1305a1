import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { finished, pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import type { TlsOptions } from "node:tls";
import type { Receipt } from "../../src/protocol/wire.ts";
import { type RecordedBody, readBody, readSlowly, readUntil } from "./fault-body.ts";

/** An answer made by hand. */
export interface Answer {
  readonly status: number;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

/** What happens to one request. Unless it says otherwise, the whole body is read first. */
export type Behaviour =
  /** Stores the lines and answers with the right receipt. */
  | { readonly kind: "accept" }
  /** Stores the lines; the receipt rejects these `lineIndex`es. */
  | { readonly kind: "reject-lines"; readonly lines: readonly number[]; readonly reason?: string }
  /** A receipt whose counts are not those of the body. */
  | { readonly kind: "wrong-counts"; readonly accepted: number; readonly rejected: number }
  | ({ readonly kind: "status" } & Answer)
  /** Answers when the headers are in, then reads on or closes the connection. */
  | ({ readonly kind: "early-status"; readonly afterwards: "keep-reading" | "close" } & Answer)
  /** Stores the lines, then drops the connection: the client cannot know. */
  | { readonly kind: "accept-then-drop" }
  /** Accepts, and closes the connection when it is idle, or just when the next request comes. */
  | { readonly kind: "accept-then-close"; readonly when: "idle" | "next-request" }
  | { readonly kind: "cut"; readonly at: "before-body" | "after-body" }
  /** Drops the connection once `afterBytes` of the body (as sent) were read. */
  | { readonly kind: "cut"; readonly at: "in-body"; readonly afterBytes: number }
  /** Stores the lines, and drops the connection in the answer. */
  | { readonly kind: "cut"; readonly at: "after-answer-headers" | "in-answer" }
  /** Reads everything and never answers. */
  | { readonly kind: "stall" }
  /** Reads everything, and accepts when `until` resolves. */
  | { readonly kind: "hold"; readonly until: Promise<unknown> }
  /** Stops after `afterBytes`; the kernel takes some more (up to a few MB), then the window is zero. */
  | { readonly kind: "stop-reading"; readonly afterBytes: number }
  /** Reads at most `bytes` every `everyMs`, then accepts. */
  | { readonly kind: "slow-read"; readonly bytes: number; readonly everyMs: number }
  /** An answer that is not HTTP, or whatever else these bytes are. */
  | { readonly kind: "garbage"; readonly bytes?: string }
  /** 200 with a page, as a captive portal answers. */
  | { readonly kind: "html" }
  /** 200 with a body that never ends. */
  | { readonly kind: "endless" }
  | {
      readonly kind: "redirect";
      readonly to: string;
      readonly status?: 301 | 302 | 303 | 307 | 308;
    };

/** What is known of a request when its headers are in. */
export interface RequestInfo {
  /** Counts the requests of the server from 0. */
  readonly index: number;
  /** Counts the requests with this `Idempotency-Key` from 1. */
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** `identity` when the header is absent. */
  readonly contentEncoding: string;
  /** Equal for requests on one connection; counts from 0. */
  readonly socketId: number;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** A request so far. Fields change until the request is over. */
export interface RecordedRequest extends RequestInfo, RecordedBody {
  /** `dropped` is what an `accept-then-close` before it does to a request. */
  behaviour: Behaviour["kind"] | "dropped";
  /** The status it was answered with, where its behaviour is an answer made by hand. */
  status?: number;
}

export interface FaultServerOptions {
  /** Chooses for one request, when its headers are in; undefined means `default`. */
  readonly script?: (request: RequestInfo, attempt: number) => Behaviour | undefined;
  /** @default { kind: "accept" } */
  readonly default?: Behaviour;
  /** Added to every receipt, e.g. `{ "accept-encoding": "zstd" }`. */
  readonly receiptHeaders?: OutgoingHttpHeaders | ((request: RequestInfo) => OutgoingHttpHeaders);
  /** Speaks TLS. */
  readonly tls?: TlsOptions;
}

export interface FaultServer {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly RecordedRequest[];
  /** Lines the server has taken, by idempotency key: what it holds however the answer went. */
  readonly stored: ReadonlyMap<string, readonly string[]>;
  /** Connections that are open now. */
  openSockets(): number;
  /** Destroys every connection; nothing is left of any behaviour. */
  close(): Promise<void>;
}

/** A server on loopback that goes wrong as told, request by request. */
export async function startFaultServer(options: FaultServerOptions = {}): Promise<FaultServer> {
  const { default: fallback = { kind: "accept" }, receiptHeaders: extra } = options;
  const requests: RecordedRequest[] = [];
  const stored = new Map<string, readonly string[]>();
  const sockets = new Map<Socket, number>();
  const doomed = new WeakSet<Socket>();
  let connections = 0;

  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    const request = record(req, requests, sockets.get(req.socket) ?? -1);
    requests.push(request);
    if (doomed.has(req.socket)) {
      req.socket.destroy();
      return;
    }
    const behaviour = options.script?.(request, request.attempt) ?? fallback;
    request.behaviour = behaviour.kind;
    const scene: Scene = {
      req,
      res,
      request,
      receiptHeaders: {
        "content-type": "application/json",
        ...(typeof extra === "function" ? extra(request) : extra),
      },
      store: () => stored.set(request.idempotencyKey, request.lines ?? []),
      doom: () => doomed.add(req.socket),
    };
    // A connection that ends, by whichever side, ends its behaviour.
    play(behaviour, scene).catch(() => req.socket.destroy());
  };
  const { tls } = options;
  const server = tls === undefined ? createServer(onRequest) : createTlsServer(tls, onRequest);
  server.requestTimeout = 0;
  server.on(tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    sockets.set(socket, connections++);
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));

  const { port } = server.address() as AddressInfo;
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}`,
    port,
    requests,
    stored,
    openSockets: () => sockets.size,
    async close() {
      const closed = [...sockets.keys()].map((socket) => once(socket.destroy(), "close"));
      await Promise.all([...closed, new Promise((done) => server.close(done))]);
    },
  };
}

interface Scene {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly request: RecordedRequest;
  readonly receiptHeaders: OutgoingHttpHeaders;
  /** Keeps the lines of the request. */
  readonly store: () => void;
  /** The next request on this connection is dropped. */
  readonly doom: () => void;
}

function record(
  { headers, method = "", url = "" }: IncomingMessage,
  before: readonly RecordedRequest[],
  socketId: number,
): RecordedRequest {
  const idempotencyKey = String(headers["idempotency-key"] ?? "");
  return {
    index: before.length,
    attempt: 1 + before.filter((earlier) => earlier.idempotencyKey === idempotencyKey).length,
    idempotencyKey,
    method,
    path: url,
    headers,
    contentEncoding: headers["content-encoding"] ?? "identity",
    socketId,
    startedAt: Date.now(),
    behaviour: "dropped",
    wireBytes: 0,
    complete: false,
  };
}

async function play(behaviour: Behaviour, scene: Scene): Promise<void> {
  const { req, res, request, store, doom } = scene;
  switch (behaviour.kind) {
    case "early-status":
      if (behaviour.afterwards === "close") return sendAndClose(scene, behaviour);
      send(res, behaviour);
      return readBody(scene);
    case "stop-reading":
      return readUntil(scene, behaviour.afterBytes);
    case "slow-read":
      await readSlowly(scene, behaviour.bytes, behaviour.everyMs);
      store();
      return sendReceipt(scene);
    case "cut":
      if (behaviour.at === "before-body") return hangUp(req);
      if (behaviour.at === "in-body") {
        await readUntil(scene, behaviour.afterBytes);
        return hangUp(req);
      }
      await readBody(scene);
      if (behaviour.at === "after-body") return hangUp(req);
      store();
      return cutAnswer(scene, behaviour.at);
  }

  await readBody(scene);
  switch (behaviour.kind) {
    case "accept":
      store();
      return sendReceipt(scene);
    case "accept-then-close":
      store();
      sendReceipt(scene);
      if (behaviour.when === "next-request") return doom();
      await finished(res);
      req.socket.end();
      return;
    case "accept-then-drop":
      store();
      return hangUp(req);
    case "reject-lines": {
      store();
      const { lines, reason = "rejected by the test" } = behaviour;
      return sendReceipt(scene, {
        accepted: (request.lines?.length ?? 0) - lines.length,
        rejected: lines.length,
        errors: lines.map((lineIndex) => ({ lineIndex, reason })),
      });
    }
    case "wrong-counts":
      return sendReceipt(scene, { accepted: behaviour.accepted, rejected: behaviour.rejected });
    case "status":
      request.status = behaviour.status;
      return send(res, behaviour);
    case "redirect":
      return send(res, { status: behaviour.status ?? 307, headers: { location: behaviour.to } });
    case "html":
      return send(res, {
        status: 200,
        headers: { "content-type": "text/html" },
        body: "<!doctype html><title>Welcome</title><p>Please sign in to this network.",
      });
    case "garbage":
      req.socket.end(behaviour.bytes ?? "\u0000\u0001 this is not HTTP\r\n\r\n");
      return;
    case "endless":
      return sendForever(res);
    case "hold":
      await behaviour.until;
      store();
      return sendReceipt(scene);
    case "stall":
      return;
  }
}

function hangUp(req: IncomingMessage): void {
  req.socket.destroy();
}

function send(res: ServerResponse, { status, headers, body }: Answer): void {
  res.writeHead(status, headers);
  res.end(body);
}

/** How long the client has to read an answer before the reset that unread data leads to. */
const HEAD_START_MS = 50;

async function sendAndClose({ req, res }: Scene, { status, headers, body = "" }: Answer) {
  const length = { "content-length": Buffer.byteLength(body), connection: "close" };
  res.writeHead(status, { ...length, ...headers });
  res.flushHeaders();
  res.write(body);
  await sleep(HEAD_START_MS);
  hangUp(req);
}

function sendReceipt(
  { res, request, receiptHeaders }: Scene,
  changes: Partial<Receipt> = {},
): void {
  const receipt: Receipt = {
    accepted: request.lines?.length ?? 0,
    rejected: 0,
    batchId: `batch-${request.index}`,
    ...changes,
  };
  send(res, { status: 200, headers: receiptHeaders, body: JSON.stringify(receipt) });
}

/** Names a longer body than is sent, so that no client takes it for a whole one. */
function cutAnswer(
  { req, res, receiptHeaders }: Scene,
  at: "after-answer-headers" | "in-answer",
): void {
  res.writeHead(200, { ...receiptHeaders, "content-length": 1000 });
  if (at === "in-answer") res.write('{"accepted":');
  else res.flushHeaders();
  req.socket.end();
}

function sendForever(res: ServerResponse): Promise<void> {
  res.writeHead(200, { "content-type": "application/json" });
  const block = Buffer.alloc(64 * 1024, " ");
  return pipeline(function* () {
    for (;;) yield block;
  }, res);
}
