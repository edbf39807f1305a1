import { once } from "node:events";
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type ServerResponse,
} from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, connect, type Socket } from "node:net";
import type { Duplex } from "node:stream";

/** What the proxy does with one request for a connection. */
export type ProxyBehaviour =
  /** Connects, whatever the target is called, to the port that it was started with. */
  | { readonly kind: "connect" }
  /** Answers without connecting. */
  | { readonly kind: "answer"; readonly status: number; readonly headers?: OutgoingHttpHeaders }
  /** Accepts, and never answers. */
  | { readonly kind: "silent" }
  /** Closes the connection instead of answering. */
  | { readonly kind: "hang-up" }
  /** Answers with something that is not HTTP, or whatever else these bytes are. */
  | { readonly kind: "garbage"; readonly bytes?: string }
  /** Connects, and cuts both sides once so many bytes have come from the client. */
  | { readonly kind: "cut"; readonly afterBytes: number };

export interface ProxyServerOptions {
  /** Port on this machine where every target is. */
  readonly port: number;
  /** `user:password` without which it answers 407. */
  readonly credentials?: string;
  /** Chooses for one request, counted from 0. @default always `connect` */
  readonly script?: (index: number) => ProxyBehaviour | undefined;
  /** Speaks TLS to its clients. */
  readonly tls?: { readonly key: string; readonly cert: string };
}

/** A request as the proxy saw it. */
export interface ProxiedRequest {
  readonly method: string;
  /** `host:port` of a CONNECT, else a whole URL. */
  readonly target: string;
  readonly headers: IncomingHttpHeaders;
}

export interface ProxyServer extends AsyncDisposable {
  /** `host:port` */
  readonly address: string;
  readonly url: string;
  readonly requests: readonly ProxiedRequest[];
  /** Everything that came from clients, requests for a connection and what went through them. */
  seen(): string;
}

/** A forward proxy on this machine, which goes wrong as told. */
export async function startProxyServer(options: ProxyServerOptions): Promise<ProxyServer> {
  const requests: ProxiedRequest[] = [];
  const seen: Buffer[] = [];
  const sockets = new Set<Duplex>();
  const track = <S extends Duplex>(socket: S): S => {
    sockets.add(socket);
    return socket.on("error", () => undefined).on("close", () => sockets.delete(socket));
  };
  const onRequest = (req: IncomingMessage, res: ServerResponse): void => {
    const behaviour = receive(req, requests, options);
    if (behaviour.kind === "connect") forward(req, res, options.port);
    else if (behaviour.kind === "answer") res.writeHead(behaviour.status, behaviour.headers).end();
    else req.socket.destroy();
  };
  const server = (
    options.tls === undefined
      ? createServer(onRequest)
      : createTlsServer({ ...options.tls }, onRequest)
  ) as ReturnType<typeof createServer>;
  server.on(options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
    track(socket).on("data", (chunk: Buffer) => seen.push(chunk));
  });
  server.on("connect", (req: IncomingMessage, client: Socket) => {
    play(receive(req, requests, options), client, () => track(connect(options.port, "127.0.0.1")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    address,
    url: `${options.tls === undefined ? "http" : "https"}://${address}`,
    requests,
    seen: () => Buffer.concat(seen).toString("latin1"),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((done) => server.close(done));
    },
  };
}

function receive(
  { method = "", url = "", headers }: IncomingMessage,
  requests: ProxiedRequest[],
  { credentials, script }: ProxyServerOptions,
): ProxyBehaviour {
  const index = requests.push({ method, target: url, headers }) - 1;
  const expected = `Basic ${Buffer.from(credentials ?? "").toString("base64")}`;
  if (credentials !== undefined && headers["proxy-authorization"] !== expected) {
    return { kind: "answer", status: 407, headers: { "proxy-authenticate": "Basic" } };
  }
  return script?.(index) ?? { kind: "connect" };
}

function play(behaviour: ProxyBehaviour, client: Socket, open: () => Socket): void {
  switch (behaviour.kind) {
    case "answer": {
      const headers = Object.entries({ "content-length": 0, ...behaviour.headers });
      const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
      client.end(`HTTP/1.1 ${behaviour.status} No\r\n${lines.join("")}\r\n`);
      return;
    }
    case "silent":
      return;
    case "hang-up":
      client.destroy();
      return;
    case "garbage":
      client.end(behaviour.bytes ?? "SSH-2.0-OpenSSH\r\n");
      return;
  }
  const target = open();
  target.on("connect", () => client.write("HTTP/1.1 200 Connection established\r\n\r\n"));
  client.on("close", () => target.destroy()).pipe(target);
  target.on("close", () => client.destroy()).pipe(client);
  if (behaviour.kind === "connect") return;
  let bytes = 0;
  client.on("data", (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes >= behaviour.afterBytes) client.destroy();
  });
}

/** A request for an http URL: passed on without what is meant for the proxy. */
function forward(req: IncomingMessage, res: ServerResponse, port: number): void {
  const { pathname, search } = new URL(req.url ?? "");
  const { "proxy-authorization": _, ...headers } = req.headers;
  const { method = "GET" } = req;
  const path = `${pathname}${search}`;
  const onward = request({ host: "127.0.0.1", port, method, path, headers });
  onward.on("response", (answer) => {
    res.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(res);
  });
  onward.on("error", () => res.destroy());
  req.pipe(onward);
}
