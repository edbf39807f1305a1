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

export { Agent, buildConnector };

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
