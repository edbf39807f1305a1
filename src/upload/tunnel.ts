import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { isIP, isIPv6, type Socket } from "node:net";
import type { SecureContext } from "node:tls";
import type { buildConnector as Connectors } from "undici";
import { type HttpProxy, ProxyError, type Roots } from "./proxy.ts";
import { createConnector, showing } from "./undici.ts";

export interface ConnectOptions {
  /** Of the proxy. */
  readonly roots: Roots;
  /** Of the API, where the config has something for that. */
  readonly secureContext?: SecureContext | undefined;
  /** For the answer of the proxy, and again for TLS with the API behind it, in ms. */
  readonly timeoutMs: number;
  /** Gives up what is being connected. */
  readonly signal: AbortSignal;
  /** Shown each connection to the API while it is being made; not the one to a proxy. */
  readonly onSocket?: ((socket: Socket) => void) | undefined;
}

type Connector = Connectors.connector;

/**
 * Connects to an https API through a CONNECT tunnel (RFC 9110, 9.3.6): the proxy learns
 * the API's host and port, and sees nothing of what passes. Failures of the proxy are a
 * {@link ProxyError}; those of the API behind it are not.
 */
export function tunnelConnector(proxy: HttpProxy, options: ConnectOptions): Connector {
  const { timeoutMs: timeout, secureContext } = options;
  const own = secureContext === undefined ? {} : { secureContext };
  const connectApi = showing(createConnector({ timeout, ...own }), options.onSocket);
  return (target, callback) => {
    const host = isIPv6(target.hostname) ? `[${target.hostname}]` : target.hostname;
    openTunnel(proxy, `${host}:${target.port || 443}`, options)
      .then((httpSocket) => connectApi({ ...target, httpSocket }, callback))
      .catch((error: Error) => callback(error, null));
  };
}

/** Connects to the proxy itself, which is then asked for an http API by its whole URL (RFC 9112, 3.2.2). */
export function proxyConnector(proxy: HttpProxy, { timeoutMs, roots }: ConnectOptions): Connector {
  const connect = createConnector({ timeout: timeoutMs, ...roots });
  return (target, callback) => {
    // TLS is with the proxy; undici would name the API, after the Host header.
    const { servername: _, ...proxyTarget } = target;
    connect(proxyTarget, (error, socket) => {
      if (error === null) callback(null, socket);
      else callback(proxyError(proxy, error), null);
    });
  };
}

/** @throws {ProxyError} */
async function openTunnel(
  proxy: HttpProxy,
  authority: string,
  { timeoutMs, roots, signal }: ConnectOptions,
): Promise<Socket> {
  const { url, authorization } = proxy;
  try {
    const { request } = url.protocol === "https:" ? https : http;
    const connect = request(url, {
      ...roots,
      servername: serverNameOf(url),
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
      throw new ProxyError(proxy, { status });
    }
    if (head.length > 0) socket.unshift(head);
    return socket;
  } catch (error) {
    throw proxyError(proxy, error);
  }
}

/** TLS is with the proxy; Node would name the API, after the Host header. An address is no server name (RFC 6066, 3). */
function serverNameOf({ hostname }: URL): string {
  return isIP(hostname.replace(/^\[|\]$/g, "")) === 0 ? hostname : "";
}

function proxyError(proxy: HttpProxy, cause: unknown): ProxyError {
  return cause instanceof ProxyError ? cause : new ProxyError(proxy, { cause });
}
