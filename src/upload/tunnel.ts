import { once } from "node:events";
import { realpath } from "node:fs/promises";
import * as http from "node:http";
import * as https from "node:https";
import { isIPv6, type Socket } from "node:net";
import { buildConnector } from "undici";
import { readRegular } from "../open-file.ts";
import { type HttpProxy, ProxyError } from "./proxy.ts";

export interface ConnectOptions {
  /** For the answer of the proxy, and again for TLS with the API behind it, in ms. */
  readonly timeoutMs: number;
  /** Gives up what is being connected. */
  readonly signal: AbortSignal;
}

type Connector = buildConnector.connector;
type ConnectCallback = buildConnector.Callback;

/**
 * Connects to an https API through a CONNECT tunnel (RFC 9110, 9.3.6): the proxy learns
 * the API's host and port, and sees nothing of what passes. Failures of the proxy are a
 * {@link ProxyError}; those of the API behind it are not.
 */
export function tunnelConnector(proxy: HttpProxy, options: ConnectOptions): Connector {
  const connectApi = buildConnector({ timeout: options.timeoutMs, allowH2: false });
  return (target, callback) => {
    const host = isIPv6(target.hostname) ? `[${target.hostname}]` : target.hostname;
    openTunnel(proxy, `${host}:${target.port || 443}`, options).then(
      (httpSocket) => connectApi({ ...target, httpSocket }, callback),
      failWith(proxy, callback),
    );
  };
}

/** Connects to the proxy itself, which is then asked for an http API by its whole URL (RFC 9112, 3.2.2). */
export function proxyConnector(proxy: HttpProxy, { timeoutMs }: ConnectOptions): Connector {
  return (target, callback) => {
    const fail = failWith(proxy, callback);
    rootsOf(proxy).then((roots) => {
      const connect = buildConnector({ timeout: timeoutMs, allowH2: false, ...roots });
      // TLS is with the proxy; undici would name the API, after the Host header.
      const { servername: _, ...proxyTarget } = target;
      connect(proxyTarget, (error, socket) => {
        if (error === null) callback(null, socket);
        else fail(error);
      });
    }, fail);
  };
}

function failWith({ source }: HttpProxy, callback: ConnectCallback): (error: unknown) => void {
  return (cause) => {
    callback(cause instanceof ProxyError ? cause : new ProxyError(source, { cause }), null);
  };
}

async function openTunnel(
  proxy: HttpProxy,
  authority: string,
  { timeoutMs, signal }: ConnectOptions,
): Promise<Socket> {
  const { url, authorization, source } = proxy;
  const { request } = url.protocol === "https:" ? https : http;
  const connect = request(url, {
    ...(await rootsOf(proxy)),
    method: "CONNECT",
    path: authority,
    headers: {
      host: authority,
      ...(authorization === undefined ? {} : { "proxy-authorization": authorization }),
    },
    agent: false,
    signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
  }).end();
  const [response, socket, head] = (await once(connect, "connect")) as [
    http.IncomingMessage,
    Socket,
    Buffer,
  ];
  const { statusCode: status = 0 } = response;
  if (status < 200 || status > 299) {
    socket.destroy();
    throw new ProxyError(source, { status });
  }
  if (head.length > 0) socket.unshift(head);
  return socket;
}

async function rootsOf({ url, caFile }: HttpProxy): Promise<{ ca?: Buffer }> {
  if (caFile === undefined || url.protocol !== "https:") return {};
  return { ca: await readRegular(await realpath(caFile)) };
}
