import { createHook } from "node:async_hooks";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, onTestFinished, test } from "vitest";
import type { PageInput, Resource } from "../../src/page/request.ts";
import { answerRequest, type RouteOptions } from "../../src/page/routes.ts";
import { NoAnswerError, PageThread } from "../../src/page/thread.ts";
import { ask, inputOf } from "../page/support.ts";
import { AgentDb, conversation } from "../support/agent-db.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { networkUse } from "../support/network-use.ts";
import { snapshot } from "../support/snapshot.ts";
import { header, message, session } from "../support/transcripts.ts";

const PAGES: readonly Resource[] = ["overview", "sessions", "history", "preview"];

const HOSTILE = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>\u202eevil\u2066`;

/** A session in a database that is called something hostile, and says it. */
function plantHostile(lab: Lab, agentId: string, sessionId: string): void {
  const agent = new AgentDb(lab.stateDir, { agentId });
  onTestFinished(() => agent.close());
  const said = JSON.parse(message(9, HOSTILE));
  agent.addSession(sessionId, [...conversation(sessionId, 5), said], `agent:${agentId}:evil`);
  agent.addNode(`agent:${agentId}:evil`, { sessionId, label: HOSTILE });
}

test.for(PAGES)("P109: whatever sessions are called and say is text on %s", async (page) => {
  await using lab = await Lab.start();
  plantHostile(lab, "main", "abc");
  const overrides = { projectId: HOSTILE, filter: { agents: { deny: [HOSTILE] } } };
  await lab.run(overrides);
  plantHostile(lab, "other", "def");
  const { status, body } = await ask(lab, page, `session=other/def&agent=${HOSTILE}`, overrides);
  expect(status).toBe(200);
  expect(body.match(/<script>/g)).toHaveLength(1);
  expect(body).not.toMatch(/<img|[\u202e\u2066]/);
  if (page !== "history") expect(body).toContain("&#60;script&#62;alert(1)");
});

test("P109: neither the key nor any end of what is redacted is on a page", async () => {
  await using lab = await Lab.start();
  const secret = "ghp_R4nd0mT0kenValue0123456789abcdefABCD";
  lab.session("main", "abc", [
    header("abc"),
    ...session("abc").slice(1),
    message(7, `the token is ${secret}, the key ${API_KEY}`),
  ]);
  const { body } = await ask(lab, "preview", "session=main/abc");
  expect(body).toContain("<mark>[redacted:");
  for (const page of PAGES) {
    const shown = (await ask(lab, page, "session=main/abc")).body;
    for (const value of [
      API_KEY,
      secret,
      API_KEY.slice(-6),
      secret.slice(0, 8),
      secret.slice(-4),
    ]) {
      expect(shown).not.toContain(value);
    }
  }
});

test("P110: making a page or the metrics reads no network and changes nothing", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await lab.run();
  lab.session("main", "def");
  const before = snapshot(lab.stateDir);
  const used = await networkUse(async () => {
    for (const resource of [...PAGES, "metrics"] as const) {
      expect((await ask(lab, resource, "session=main/def")).status).toBe(200);
    }
  });
  expect(used).toEqual([]);
  expect(snapshot(lab.stateDir)).toBe(before);
});

/** The route behind a server of its own, with `thread` in the place of the page's thread. */
async function serve(
  options: Pick<RouteOptions, "thread"> & Partial<RouteOptions>,
): Promise<string> {
  const server = createServer((request, response) => {
    const unconfigured = { ok: false, problems: [], warnings: [] } as const;
    const rest = { stateDir: "/nowhere", hostConfig: {}, layout: undefined, config: unconfigured };
    void answerRequest(request, response, { ...rest, ...options });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/plugins/influxion`;
}

const answering = { ask: () => Promise.resolve({ status: 200, type: "text/html", body: "hello" }) };

test("P110: a page may load nothing, send nothing and be framed by nobody else", async () => {
  const url = await serve({ thread: answering });
  const { headers } = await fetch(`${url}/overview`);
  const policy = headers.get("content-security-policy") ?? "";
  expect(policy.split("; ").map((rule) => rule.replace(/'sha256-[^']+'/, "<hash>"))).toEqual([
    "default-src 'none'",
    "style-src <hash>",
    "script-src <hash>",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'self'",
    "sandbox allow-scripts",
  ]);
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  expect(headers.get("cache-control")).toBe("no-store");
});

test("P110: only GET and HEAD are answered, and HEAD without a body", async () => {
  const url = await serve({ thread: answering });
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const response = await fetch(`${url}/overview`, { method });
    expect([method, response.status, response.headers.get("allow")]).toEqual([
      method,
      405,
      "GET, HEAD",
    ]);
  }
  const head = await fetch(`${url}/overview`, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([
    200,
    "5",
    "",
  ]);
});

test.for(["nothing", "overview/x", "%2e%2e/overview", "..%2f..%2fetc%2fpasswd", "__proto__"])(
  "P110: there is nothing at %s",
  async (path) => {
    const url = await serve({ thread: answering });
    expect((await fetch(`${url}/${path}`)).status).toBe(404);
  },
);

test("P110: an answer that fails says so, without a word of what was thrown", async () => {
  const failing = { ask: () => Promise.reject(new Error(`failed with ${API_KEY}`)) };
  const response = await fetch(`${await serve({ thread: failing })}/overview`);
  expect(response.status).toBe(500);
  expect(await response.text()).not.toContain(API_KEY);
});

/** A thread whose program answers each question with its number, after some time. */
function countingThread(ms: number): PageThread {
  const program = `
    const { parentPort } = require("node:worker_threads");
    let asked = 0;
    parentPort.on("message", ({ id, input }) => {
      if (input.query === "end") process.exit(1);
      const answer = { status: 200, type: "text/plain", body: String(++asked) };
      setTimeout(() => parentPort.postMessage({ id, answer }), ${ms});
    });`;
  const thread = new PageThread(
    new URL(
      `data:text/javascript,${encodeURIComponent(`import { createRequire } from "node:module"; const require = createRequire(process.cwd() + "/");${program}`)}`,
    ),
  );
  onTestFinished(() => thread.end());
  return thread;
}

const question = (query: string): PageInput => ({
  resource: "overview",
  query,
  stateDir: "/nowhere",
  layout: undefined,
  config: { ok: false, problems: [], warnings: [] },
  secrets: null,
});

test("P111: however often the same page is asked for, it is made once in three seconds", async () => {
  const thread = countingThread(50);
  const bodies = async (times: number): Promise<string[]> =>
    await Promise.all(
      Array.from({ length: times }, async () => (await thread.ask(question(""))).body),
    );
  expect(new Set([...(await bodies(100)), ...(await bodies(100))])).toEqual(new Set(["1"]));
  await sleep(3100);
  expect(await bodies(1)).toEqual(["2"]);
});

test("P111: more than eight different pages at a time are refused, and the others are made", async () => {
  const thread = countingThread(50);
  const all = await Promise.allSettled(
    Array.from({ length: 20 }, (_, n) => thread.ask(question(`page=${n}`))),
  );
  expect(all.map(({ status }) => status).filter((one) => one === "fulfilled")).toHaveLength(8);
  const [refused] = all.flatMap((one) => (one.status === "rejected" ? [one.reason] : []));
  expect(refused).toBeInstanceOf(NoAnswerError);
});

test("P111: a thread that ends takes only the questions with it that wait, not the next one", async () => {
  const thread = countingThread(10);
  await expect(thread.ask(question("end"))).rejects.toThrow("ended");
  expect((await thread.ask(question("again"))).body).toBe("1");
});

test("P111: a page is made on a thread of its own, and is of bounded size however many sessions there are", async () => {
  await using lab = await Lab.start();
  for (let n = 0; n < 300; n++) lab.session("main", `session-${n}`);
  const thread = new PageThread();
  onTestFinished(() => thread.end());
  let read = 0;
  const reads = createHook({
    init(_id, type) {
      if (type.startsWith("FSREQ")) read++;
    },
  }).enable();
  const { body } = await thread.ask(inputOf(lab, "sessions"));
  reads.disable();
  expect(body).toContain("1 to 50 of 300 sessions");
  expect(body.length).toBeLessThan(100_000);
  expect(read).toBe(0);
});
