import { afterEach, expect, test } from "vitest";
import { createClient } from "../../src/upload/client.ts";
import { type DeletionOutcome, requestDeletion } from "../../src/upload/deletion.ts";
import { confirmed, deletionsOf, startDeletingServer } from "../support/deleting-server.ts";
import type { Behaviour, FaultServer } from "../support/fault-server.ts";
import { API_KEY } from "../support/lab.ts";
import { startProxyServer } from "../support/proxy-server.ts";

let server: FaultServer;

afterEach(() => server.close());

interface Asked {
  readonly answers: readonly [Behaviour, ...Behaviour[]];
  readonly retryAttempts?: number;
  readonly sessionId?: string;
  /** The API's host, which only a proxy finds. */
  readonly behindProxy?: string;
}

async function ask({ answers, retryAttempts = 0, sessionId = "abc", behindProxy }: Asked) {
  server = await startDeletingServer(...answers);
  await using proxy = await startProxyServer({ port: server.port });
  const client = await createClient({
    apiUrl: behindProxy === undefined ? server.url : `http://${behindProxy}`,
    apiKey: API_KEY,
    timeoutMs: 1000,
    version: "0.0.0",
    ...(behindProxy === undefined ? {} : { proxy: { url: proxy.url, source: "the test" } }),
  });
  const start = performance.now();
  const outcome = await requestDeletion(
    { agentId: "main", sessionId, through: 7 },
    {
      client,
      destination: { deploymentId: "my laptop", projectId: "p&q" },
      retryAttempts,
      retryBackoffMs: 0,
      signal: new AbortController().signal,
      random: () => 0,
      now: Date.now,
    },
  ).finally(() => client.close());
  return { outcome, tookMs: performance.now() - start, proxied: proxy.requests };
}

const status = (code: number, headers: Record<string, string> = {}, body = "{}"): Behaviour => ({
  kind: "status",
  status: code,
  headers: { "content-type": "application/json", ...headers },
  body,
});

test("what is to be deleted arrives as it was named, whatever is in the names", async () => {
  await ask({ answers: [confirmed(1)], sessionId: "chat-topic-a%2Fb c&scope=agent" });
  expect(deletionsOf(server)).toEqual([
    {
      deploymentId: "my laptop",
      projectId: "p&q",
      scope: "session",
      agentId: "main",
      sessionId: "chat-topic-a%2Fb c&scope=agent",
      through: "7",
    },
  ]);
});

test.for([
  [status(400), "rejected"],
  [status(409), "rejected"],
  [status(413), "rejected"],
  [status(422), "rejected"],
  [status(401), "refused"],
  [status(403), "refused"],
  [status(405), "unsupported"],
  [status(501), "unsupported"],
  [status(404), "unsupported"],
  [status(407), "unreachable"],
  [{ kind: "redirect", to: "https://elsewhere.test/" }, "unreachable"],
  [status(429), "retry"],
  [status(500), "retry"],
  [{ kind: "stall" }, "retry"],
  [{ kind: "endless" }, "retry"],
  [{ kind: "cut", at: "before-body" }, "retry"],
] as const satisfies readonly (readonly [Behaviour, DeletionOutcome["kind"]])[])(
  "P81: %j leads to %s, and confirms nothing",
  async ([answer, kind]) => {
    expect((await ask({ answers: [answer] })).outcome.kind).toBe(kind);
  },
);

test("P43: what may pass is tried again, and Retry-After is waited for", async () => {
  const { outcome, tookMs } = await ask({
    answers: [status(429, { "retry-after": "1" }), status(503), confirmed(2)],
    retryAttempts: 3,
  });
  expect(outcome).toEqual({ kind: "deleted", receipt: { deleted: 2 } });
  expect(deletionsOf(server)).toHaveLength(3);
  expect(tookMs).toBeGreaterThan(950);
});

test("a deletion goes through a proxy, with its query", async () => {
  const { outcome, proxied } = await ask({ answers: [confirmed(1)], behindProxy: "api.test" });
  expect(outcome.kind).toBe("deleted");
  expect(deletionsOf(server)).toMatchObject([{ agentId: "main", through: "7" }]);
  expect(proxied[0]?.target).toMatch(/^http:\/\/api\.test\/v1\/openclaw\/ingest\/sessions\?/);
});
