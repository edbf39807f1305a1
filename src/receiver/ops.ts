import type { IncomingMessage, ServerResponse } from "node:http";
import { InfluxionError } from "../shared/problem.ts";
import type { Metrics } from "./metrics.ts";
import { pathOf } from "./request.ts";

export interface OpsOptions {
  readonly metrics: Metrics;
  /** Fails when parts cannot be stored now. */
  readonly check: () => Promise<void>;
}

interface Page {
  readonly status: number;
  readonly type?: string;
  readonly text: string;
}

/**
 * Answers what load balancers and Prometheus ask, without a key: nothing in it is secret.
 * Returns whether the request was one of these.
 */
export function createOps({ metrics, check }: OpsOptions) {
  const pages: Readonly<Record<string, () => Promise<Page>>> = {
    "/healthz": async () => ({ status: 200, text: "ok\n" }),
    "/readyz": () => readiness(check),
    "/metrics": async () => ({ status: 200, type: PROMETHEUS, text: metrics.text() }),
  };
  return async (req: IncomingMessage, res: ServerResponse): Promise<boolean> => {
    const path = pathOf(req.url);
    const page = Object.hasOwn(pages, path) ? pages[path] : undefined;
    if (page === undefined || (req.method !== "GET" && req.method !== "HEAD")) return false;
    const { status, type = "text/plain; charset=utf-8", text } = await page();
    res.writeHead(status, { "content-type": type, "cache-control": "no-store" });
    res.end(text);
    return true;
  };
}

const PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8";

async function readiness(check: () => Promise<void>): Promise<Page> {
  try {
    await check();
  } catch (error) {
    // One that is busy is not to be taken away from the others: they would have its load as well.
    const busy = error instanceof InfluxionError && error.code === "OVERLOADED";
    const why = error instanceof InfluxionError ? error.code : "UNEXPECTED";
    if (!busy) return { status: 503, text: `not ready: ${why}\n` };
  }
  return { status: 200, text: "ready\n" };
}
