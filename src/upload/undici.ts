/**
 * What an upload needs of undici. Its index also loads fetch, caches, mocks and WebSockets,
 * which takes 20 MiB in the thread of each run, and twice the time (docs/performance.md).
 *
 * The index also makes `request` a method of every dispatcher, without which undici's own
 * proxy agents fail at the first CONNECT. Nothing that rests on that is used: tunnels are
 * ours (tunnel.ts). test/upload/proxy.test.ts and packed.test.ts hold that it works so.
 */
import { Socket } from "node:net";
import type { Dispatcher } from "undici";
import apiRequest from "undici/lib/api/api-request.js";
import buildConnector from "undici/lib/core/connect.js";
import Agent from "undici/lib/dispatcher/agent.js";

export { Agent };

/**
 * undici's connector, whose sockets end with the first error they meet. Node goes on after an alert of TLS until
 * the end of the connection, which undici then reports in its place: "other side closed" instead of what
 * the server said.
 */
export function createConnector(options: buildConnector.BuildOptions): buildConnector.connector {
  const connect = buildConnector({ ...options, allowH2: false });
  return (target, callback) =>
    connect(target, (...[error, socket]) => {
      socket?.once("error", (first) => socket.destroy(first));
      if (error === null) callback(null, socket);
      else callback(error, null);
    });
}

/** One request through a dispatcher. */
export function request(
  dispatcher: Dispatcher,
  options: Dispatcher.RequestOptions,
): Promise<Dispatcher.ResponseData> {
  return apiRequest.call(dispatcher, options);
}

/** The same connector, which also shows each socket while it is connecting. */
export function showing(
  connect: buildConnector.connector,
  onSocket: ((socket: Socket) => void) | undefined,
): buildConnector.connector {
  if (onSocket === undefined) return connect;
  return (target, callback) => {
    // Its types do not say that undici's connector gives back the socket.
    const socket: unknown = connect(target, callback);
    if (socket instanceof Socket) onSocket(socket);
  };
}
