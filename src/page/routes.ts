import type { IncomingMessage, ServerResponse } from "node:http";
import type { ConfigResult } from "../config/config.ts";
import { type HostConfig, resolveSecrets } from "../openclaw/host.ts";
import { asInfluxionError } from "../shared/problem.ts";
import type { HostLayout } from "../stores/layout.ts";
import { CONTENT_SECURITY_POLICY } from "./document.ts";
import { type PageAnswer, type PageInput, RESOURCES, type Resource } from "./request.ts";
import { NoAnswerError, type PageThread } from "./thread.ts";

/** Where the host serves what is served here. */
export const ROUTE = "/plugins/influxion";

/** What an answer depends on besides its address. */
export interface RouteOptions {
  readonly stateDir: string;
  readonly hostConfig: HostConfig;
  readonly layout: HostLayout | undefined;
  readonly config: ConfigResult;
  readonly thread: Pick<PageThread, "ask">;
}

const PLAIN_TYPE = "text/plain; charset=utf-8";

/**
 * Answers a request below {@link ROUTE}, which the host has authenticated. Never throws.
 * @returns true: whatever is below it is for nobody else
 */
export async function answerRequest(
  request: Pick<IncomingMessage, "method" | "url">,
  response: ServerResponse,
  options: RouteOptions,
): Promise<true> {
  const { method = "GET", url = "/" } = request;
  const { pathname, search } = new URL(url, "http://gateway.invalid");
  const head = method === "HEAD";
  if (method !== "GET" && !head) {
    response.setHeader("Allow", "GET, HEAD");
    return send(response, plainAnswer(405, "only GET and HEAD"), head);
  }
  if (pathname === ROUTE || pathname === `${ROUTE}/`) {
    response.setHeader("Location", pathname === ROUTE ? "influxion/overview" : "overview");
    return send(response, plainAnswer(302, "see overview"), head);
  }
  const resource = RESOURCES.find((one) => pathname === `${ROUTE}/${one}`);
  if (resource === undefined) return send(response, plainAnswer(404, "not found"), head);
  return send(response, await answerOf(resource, search.slice(1), options), head);
}

async function answerOf(
  resource: Resource,
  query: string,
  options: RouteOptions,
): Promise<PageAnswer> {
  try {
    const { stateDir, layout, config } = options;
    const secrets = resource === "preview" ? await secretsOf(options) : null;
    return await options.thread.ask({ resource, query, stateDir, layout, config, secrets });
  } catch (error) {
    if (error instanceof NoAnswerError)
      return plainAnswer(503, `no answer: ${error.message}; try again`);
    return plainAnswer(500, asInfluxionError(error).message);
  }
}

/** The host's own module resolves references, and is not there on another thread. */
async function secretsOf({ config, hostConfig }: RouteOptions): Promise<PageInput["secrets"]> {
  if (!config.ok) return null;
  try {
    const { apiKey, redactValues } = await resolveSecrets(config.config, hostConfig, false);
    return { apiKey, redactValues };
  } catch (error) {
    return { problem: asInfluxionError(error).message };
  }
}

const plainAnswer = (status: number, text: string): PageAnswer => ({
  status,
  type: PLAIN_TYPE,
  body: `${text}\n`,
});

function send(response: ServerResponse, { status, type, body }: PageAnswer, head: boolean): true {
  response.statusCode = status;
  const bytes = Buffer.from(body);
  const headers = {
    "Content-Type": type,
    "Content-Length": String(bytes.length),
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    ...(status === 503 ? { "Retry-After": "2" } : {}),
  };
  for (const [header, value] of Object.entries(headers)) response.setHeader(header, value);
  response.end(head ? undefined : bytes);
  return true;
}
