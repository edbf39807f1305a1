import { once } from "node:events";
import { get, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import type { GatewayAnswer } from "../check/gateway.ts";
import { asObject } from "../shared/json.ts";
import type { HostConfig } from "./host.ts";

/** OpenClaw's own default. */
const DEFAULT_PORT = 18_789;

/** A Gateway on this machine answers in milliseconds, and when it is busy in a second. */
const PATIENCE_MS = 3000;

/** Looks on this machine whether a Gateway answers where the host's config says. */
export async function probeGateway(
  config: HostConfig,
  signal: AbortSignal,
  env: NodeJS.ProcessEnv = process.env,
): Promise<GatewayAnswer> {
  const { mode, port: configured, bind, tls } = asObject(asObject(config).gateway);
  if (mode === "remote") {
    return { kind: "unknown", reason: "it runs on another machine (gateway.mode is remote)" };
  }
  const port = Number(env.OPENCLAW_GATEWAY_PORT || configured || DEFAULT_PORT);
  const at = `127.0.0.1:${port}`;
  const stop = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
  // One that speaks TLS has a certificate of its own: that it listens is all that is asked there.
  const isTls = asObject(tls).enabled === true;
  const kind = await (isTls ? listens(port, stop) : isReady(port, stop)).catch(
    () => "none" as const,
  );
  signal.throwIfAborted();
  const isElsewhere = bind === "tailnet" || bind === "custom";
  if (kind === "none" && isElsewhere) {
    return { kind: "unknown", reason: `gateway.bind is ${bind}, and only ${at} was tried` };
  }
  return { kind, at };
}

async function isReady(port: number, signal: AbortSignal): Promise<"ready" | "not-ready"> {
  const request = get({ host: "127.0.0.1", port, path: "/readyz", agent: false, signal });
  const [response] = (await once(request, "response")) as [IncomingMessage];
  response.destroy();
  return response.statusCode === 200 ? "ready" : "not-ready";
}

async function listens(port: number, signal: AbortSignal): Promise<"ready"> {
  const socket = connect({ host: "127.0.0.1", port });
  try {
    await once(socket, "connect", { signal });
    return "ready";
  } finally {
    socket.destroy();
  }
}
