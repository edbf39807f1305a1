import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import { expect, onTestFinished, test, vi } from "vitest";
import { createFilter } from "../../src/config/filter.ts";
import { noLines } from "../../src/lines/entry.ts";
import { openJsonl } from "../../src/stores/jsonl/reader.ts";
import { START } from "../../src/stores/store.ts";
import type { Body } from "../../src/upload/body.ts";
import { type Client, createClient } from "../../src/upload/client.ts";
import { CodingChoice } from "../../src/upload/coding.ts";
import { createSender } from "../../src/upload/sender.ts";
import { createTransforms } from "../../src/upload/transform.ts";
import { type Behaviour, startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { startProxyServer } from "../support/proxy-server.ts";
import { header, message } from "../support/transcripts.ts";

/** One run against a server that behaves like this first, and well afterwards. */
async function against(
  behaviours: Behaviour[],
  upload: object = { retryAttempts: behaviours.length },
) {
  const lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ script: ({ index }) => behaviours[index] });
  const started = performance.now();
  const report = await lab.run({ apiUrl: server.url, upload });
  const elapsed = performance.now() - started;
  await server.close();
  await lab[Symbol.asyncDispose]();
  return { report, requests: server.requests, stored: server.stored, elapsed, lab };
}

const HOUR = 3_600_000;

const keysOf = (requests: readonly { idempotencyKey: string }[]): number =>
  new Set(requests.map(({ idempotencyKey }) => idempotencyKey)).size;

for (const status of [
  408, 425, 429, 500, 502, 503, 504, 506, 507, 508, 511, 520, 530, 599, 600, 999,
]) {
  test(`P40, P69: ${status} is retried with the same key`, async () => {
    const { report, requests } = await against([{ kind: "status", status }]);
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(requests).toHaveLength(2);
    expect(keysOf(requests)).toBe(1);
  });
}

for (const behaviour of [
  { kind: "html" },
  { kind: "garbage" },
  { kind: "endless" },
  { kind: "wrong-counts", accepted: 4, rejected: 0 },
  { kind: "cut", at: "after-answer-headers" },
  { kind: "cut", at: "in-answer" },
] as const) {
  const name = "at" in behaviour ? `cut ${behaviour.at}` : behaviour.kind;
  test(`P40: no receipt (${name}): unknown, retried with the same key`, async () => {
    const { report, requests } = await against([behaviour]);
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(keysOf(requests)).toBe(1);
  });
}

const NOT_HTTP = "what answered does not speak HTTP; check apiUrl, and what is on the way (";

test.for([
  ["another protocol", "SSH-2.0-OpenSSH\r\n", NOT_HTTP],
  ["a status of four digits", "HTTP/1.1 1000 No\r\n\r\n", NOT_HTTP],
  ["status 000", "HTTP/1.1 000 No\r\n\r\n", `${NOT_HTTP}its status is below 100)`],
  ["status 099", "HTTP/1.1 099 No\r\n\r\n", `${NOT_HTTP}its status is below 100)`],
  [
    "100 Continue that nobody asked for",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    'it answered what nobody had asked for, such as "100 Continue"; see what is on the way (',
  ],
] as const)(
  "P40: %s is retried with the same key, and told in plain words",
  async ([, bytes, words]) => {
    const garbage = { kind: "garbage", bytes } as const;
    const { report, requests } = await against([garbage]);
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(keysOf(requests)).toBe(1);
    const { reason } = (await against([garbage], { retryAttempts: 0 })).report;
    expect(reason?.startsWith(words)).toBe(true);
    expect(reason).not.toMatch(/assert|\?/i);
  },
);

for (const status of [401, 403]) {
  test(`P40, P42: ${status} stops the run, and nothing is sent on the interval until credentials change`, async () => {
    await using lab = await Lab.start();
    for (const id of ["a", "b", "c"]) lab.session("main", id);
    let refuse = true;
    const server = await startFaultServer({
      script: () => (refuse ? { kind: "status", status } : undefined),
    });
    const overrides = { apiUrl: server.url, upload: { concurrency: 1 } };
    const report = await lab.run(overrides);
    expect(report.outcome).toBe("refused");
    expect(report.reason).toContain("check apiKey and projectId");
    expect(server.requests).toHaveLength(1);
    expect((await lab.run(overrides)).outcome).toBe("refused");
    expect(server.requests).toHaveLength(1);
    expect((await lab.status({ overrides })).out).toContain("The API refuses the credentials");
    refuse = false;
    const { code } = await lab.sync({ overrides });
    expect(code).toBe(0);
    expect(server.requests).toHaveLength(4);
    await server.close();
  });
}

test("P42: a new key is tried on the interval", async () => {
  await using lab = await Lab.start();
  lab.session("main", "a");
  const server = await startFaultServer({
    script: ({ headers }) =>
      headers.authorization === "Bearer new-key" ? undefined : { kind: "status", status: 401 },
  });
  const overrides = { apiUrl: server.url };
  await lab.run(overrides);
  const report = await lab.run({ ...overrides, apiKey: "new-key" });
  await server.close();
  expect(report).toMatchObject({ outcome: "done", sent: { sessions: 1 } });
});

test("P40: 413 halves the part until it is taken; a single line that is too big goes as omitted", async () => {
  await using lab = await Lab.start();
  const big = message(50, "h".repeat(60_000));
  lab.session("main", "abc", [
    header("abc"),
    ...Array.from({ length: 60 }, (_, n) => message(n, "h".repeat(900))),
    big,
  ]);
  const server = createServer(async (req, res) => {
    const { gunzipSync } = await import("node:zlib");
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk);
    const body = gunzipSync(Buffer.concat(chunks)).toString();
    const lines = body.trim().split("\n");
    if (body.length > 30_000) return void res.writeHead(413).end("{}");
    taken.push(...lines.map((line) => JSON.parse(line)));
    res.end(JSON.stringify({ accepted: lines.length, rejected: 0, batchId: "b" }));
  }).listen(0, "127.0.0.1");
  const taken: { lineIndex: number; payload: unknown }[] = [];
  await once(server, "listening");
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = await lab.run({ apiUrl });
  server.close();
  expect(taken.map(({ lineIndex }) => lineIndex)).toEqual(Array.from({ length: 62 }, (_, n) => n));
  expect(taken.at(-1)?.payload).toEqual({
    omitted: { reason: "line-too-long", bytes: Buffer.byteLength(big) },
  });
  expect(report).toMatchObject({ outcome: "done", lines: { omitted: 1 }, left: { sessions: 0 } });
});

for (const status of [400, 404, 422, 501, 505]) {
  test(`P40: ${status} puts the session aside with the reason; others go on`, async () => {
    await using lab = await Lab.start();
    for (const id of ["a", "b"]) lab.session("main", id);
    const server = await startFaultServer({
      script: ({ index }) => (index === 0 ? { kind: "status", status } : undefined),
    });
    const report = await lab.run({
      apiUrl: server.url,
      upload: { retryAttempts: 3, concurrency: 1 },
    });
    await server.close();
    expect(server.requests).toHaveLength(2);
    expect(report).toMatchObject({ outcome: "partial", failed: 1, sent: { sessions: 1 } });
    expect(report.failures[0]?.reason).toContain(`answered ${status}`);
  });
}

for (const status of [407, 411, 414, 417, 421, 426, 431]) {
  test(`P69: ${status} is about the way: the run ends with a sentence, and no session is blamed`, async () => {
    await using lab = await Lab.start();
    for (const id of ["a", "b", "c"]) lab.session("main", id);
    const server = await startFaultServer({ default: { kind: "status", status } });
    const overrides = { apiUrl: server.url, upload: { retryAttempts: 3, concurrency: 1 } };
    const report = await lab.run(overrides);
    await server.close();
    expect(server.requests).toHaveLength(1);
    expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 3 } });
    expect(report.reason).toMatch(new RegExp(`^answered ${status}: .{20}`));
    expect((await lab.status({ overrides })).out).toMatch(/pending {5}3 [\s\S]*failing {5}0/);
  });
}

test("P69: a proxy that passes http on and wants credentials is named", async () => {
  vi.stubEnv("HTTP_PROXY", undefined);
  await using lab = await Lab.start();
  lab.session("main", "abc");
  await using proxy = await startProxyServer({ port: 9, credentials: "user:secret" });
  vi.stubEnv("http_proxy", proxy.url);
  const apiUrl = "http://api.test";
  const report = await lab.run({ apiUrl, allowInsecureHttp: true, upload: { retryAttempts: 3 } });
  vi.unstubAllEnvs();
  expect(proxy.requests).toHaveLength(1);
  expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 1 } });
  expect(report.reason).toContain("answered 407: the proxy set by http_proxy wants a user");
});

for (const status of [401, 403]) {
  test(`P42, P69: ${status} of a firewall is not the key's: the next interval tries again`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const page = { headers: { "content-type": "text/html" }, body: "<h1>Access denied</h1>" };
    const server = await startFaultServer({
      script: ({ index }) => (index === 0 ? { kind: "status", status, ...page } : undefined),
    });
    const overrides = { apiUrl: server.url, upload: { retryAttempts: 3 } };
    const report = await lab.run(overrides);
    expect(server.requests).toHaveLength(1);
    expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 1 } });
    expect(report.reason).toContain("a firewall on the way");
    expect((await lab.status({ overrides })).out).not.toContain("refuses the credentials");
    expect(await lab.run(overrides)).toMatchObject({ outcome: "done", sent: { sessions: 1 } });
    await server.close();
  });

  test(`P42, P69: ${status} of a proxy that passes http on names the proxy; the next interval tries again`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "abc");
    const api = await startFaultServer();
    await using proxy = await startProxyServer({
      port: api.port,
      script: (index) => (index === 0 ? { kind: "answer", status } : undefined),
    });
    vi.stubEnv("http_proxy", proxy.url);
    const overrides = { apiUrl: "http://api.test", allowInsecureHttp: true };
    const report = await lab.run(overrides);
    expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 1 } });
    expect(report.reason).toContain(`answered ${status}: the proxy set by http_proxy refuses`);
    expect(await lab.run(overrides)).toMatchObject({ outcome: "done", sent: { sessions: 1 } });
    vi.unstubAllEnvs();
    await api.close();
  });
}

for (const status of [404, 405, 410]) {
  for (const sessions of [1, 2, 3, 9]) {
    test(`P69: ${status} for the first of ${sessions} sessions ends the run: check apiUrl, once`, async () => {
      await using lab = await Lab.start();
      for (let n = 0; n < sessions; n++) lab.session("main", `s${n}`);
      const server = await startFaultServer({
        script: ({ path }) =>
          path.startsWith("/wrong/") ? { kind: "status", status } : { kind: "accept" },
      });
      const overrides = { apiUrl: `${server.url}/wrong`, upload: { concurrency: 1 } };
      const { code, out, err } = await lab.sync({ overrides });
      expect(server.requests).toHaveLength(Math.min(3, sessions));
      expect(code).toBe(3);
      expect((out + err).match(/check apiUrl/g)).toHaveLength(1);
      const shown = (await lab.status({ overrides })).out;
      expect(shown).toMatch(new RegExp(`pending {5}${sessions} [\\s\\S]*failing {5}0`));
      const right = await lab.run({ apiUrl: server.url });
      await server.close();
      expect(right).toMatchObject({ outcome: "done", sent: { sessions } });
    });
  }

  for (const [name, found] of [
    ["last", [false, false, true]],
    ["first", [true, false, false, false, false, false]],
  ] as const) {
    test(`P69: ${status} while another session gets through ${name} is the session's`, async () => {
      await using lab = await Lab.start();
      for (let n = 0; n < found.length; n++) lab.session("main", `s${n}`);
      const server = await startFaultServer({
        script: ({ index }) => (found[index] === true ? undefined : { kind: "status", status }),
      });
      const overrides = { apiUrl: server.url, upload: { concurrency: 1 } };
      const report = await lab.run(overrides);
      const failed = found.length - 1;
      expect(report).toMatchObject({ outcome: "partial", failed, sent: { sessions: 1 } });
      expect(report.failures[0]?.reason).toBe(
        `answered ${status}: the API does not take this session`,
      );
      expect(server.requests).toHaveLength(found.length);
      expect((await lab.run(overrides)).sent.parts).toBe(0);
      await server.close();
      expect(server.requests).toHaveLength(found.length);
    });
  }
}

/** A lab whose API has taken three sessions, and answers with what is set from then on. */
async function afterThree(): Promise<{
  lab: Lab;
  overrides: { apiUrl: string; upload: object };
  requests: readonly unknown[];
  set(...statuses: number[]): void;
}> {
  const lab = await Lab.start();
  onTestFinished(() => lab[Symbol.asyncDispose]());
  let statuses: readonly number[] = [200];
  const server = await startFaultServer({
    script: ({ index }) => {
      const status = statuses[index % statuses.length] ?? 200;
      return status === 200 ? undefined : { kind: "status", status };
    },
  });
  onTestFinished(() => server.close());
  for (const id of ["a", "b", "c"]) lab.session("main", id);
  const overrides = { apiUrl: server.url, upload: { concurrency: 1 } };
  expect((await lab.run(overrides)).outcome).toBe("done");
  const set = (...next: number[]): void => {
    statuses = next;
  };
  return { lab, overrides, requests: server.requests, set };
}

test.for([404, 405, 410])(
  "P34, P69: %i to a session alone is its own where the address took others before, and stays so",
  async (status) => {
    const { lab, overrides, requests, set } = await afterThree();
    lab.session("main", "bad");
    set(status);
    let asked = requests.length;
    for (const hours of [0, 1.1, 3.2]) {
      lab.clockOffset = hours * HOUR;
      const report = await lab.run(overrides);
      expect(report).toMatchObject({ outcome: "partial", failed: 1 });
      expect(report.failures[0]?.reason).toBe(
        `answered ${status}: the API does not take this session`,
      );
      expect((await lab.status({ overrides })).out).toMatch(/failing {5}1/);
      expect(requests).toHaveLength(++asked);
      lab.clockOffset = (hours + 0.9) * HOUR;
      expect((await lab.run(overrides)).failed).toBe(1);
      expect(requests).toHaveLength(asked);
    }
    const { code, out, err } = await lab.sync({ overrides });
    expect(code).toBe(2);
    expect(out + err).not.toContain("check apiUrl");
  },
);

test("P69: 404 beside 503, as from an API that is being deployed, is no session's", async () => {
  const { lab, overrides, set } = await afterThree();
  for (const id of ["x", "y"]) lab.session("main", id);
  set(404, 503);
  const report = await lab.run(overrides);
  expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 2 } });
  expect(report.reason).toBe("answered 503");
  set(200);
  expect(await lab.run(overrides)).toMatchObject({ outcome: "done", sent: { sessions: 2 } });
});

test.for([404, 405, 410])(
  "P69: %i to the first three of a run ends it also where the address took others before; none is blamed",
  async (status) => {
    const { lab, overrides, requests, set } = await afterThree();
    for (let n = 0; n < 5; n++) lab.session("main", `s${n}`);
    set(status);
    const report = await lab.run(overrides);
    expect(requests).toHaveLength(6);
    expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 5 } });
    expect(report.reason).toContain("see whether the API is down or has moved");
    set(200);
    expect(await lab.run(overrides)).toMatchObject({ outcome: "done", sent: { sessions: 5 } });
  },
);

for (const status of [301, 302, 303, 307, 308] as const) {
  test(`P40, P49: a ${status} is not followed; the key stays with its origin`, async () => {
    const other = await startFaultServer();
    const { report, requests } = await against([{ kind: "redirect", to: other.url, status }]);
    expect(requests).toHaveLength(1);
    expect(other.requests).toHaveLength(0);
    expect(report.outcome).toBe("unreachable");
    expect(report.reason).toContain(`redirect to ${other.url}; redirects are not followed`);
    await other.close();
  });
}

test("P40: a certificate that is not trusted stops the run with a clear message", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const { selfSigned } = await import("../support/certificate.ts");
  const { createServer: createTls } = await import("node:https");
  const server = createTls(selfSigned, (_req, res) => res.end()).listen(0, "127.0.0.1");
  await once(server, "listening");
  const apiUrl = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = await lab.run({ apiUrl, upload: { retryAttempts: 5 } });
  server.close();
  expect(report.outcome).toBe("unreachable");
  expect(report.reason).toContain("TLS certificate not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)");
  expect(report.reason).toContain("tls.ca");
});

test("P40: rejected lines are counted, shown and not sent again", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({
    default: { kind: "reject-lines", lines: [2], reason: "not liked" },
  });
  const overrides = { apiUrl: server.url };
  const { code, out } = await lab.sync({ overrides });
  expect(code).toBe(2);
  expect(out).toContain("1 line arrived and was rejected by the API.");
  expect(out).toContain("main/abc line 2 was rejected: not liked");
  expect((await lab.status({ overrides })).out).toContain(
    "1 line arrived and was rejected by the API",
  );
  expect((await lab.run(overrides)).sent.parts).toBe(0);
  await server.close();
});

test("P41: Retry-After in seconds is waited for, also above the back-off", async () => {
  const headers = { "retry-after": "1" };
  const { report, elapsed } = await against([{ kind: "status", status: 429, headers }]);
  expect(report.outcome).toBe("done");
  expect(elapsed).toBeGreaterThan(990);
});

test("P41: Retry-After as a date is waited for", async () => {
  const headers = { "retry-after": new Date(Date.now() + 2500).toUTCString() };
  const { report, elapsed } = await against([{ kind: "status", status: 503, headers }]);
  expect(report.outcome).toBe("done");
  expect(elapsed).toBeGreaterThan(900);
});

for (const value of [
  "soon",
  "-5",
  "1.5",
  "1e9",
  "99999999999",
  "Thu, 32 Foo 2026 99:99:99 GMT",
  "",
]) {
  test(`P41: a malformed or absurd Retry-After (${value || "empty"}) is not waited for`, async () => {
    const headers = { "retry-after": value };
    const { report, elapsed } = await against([{ kind: "status", status: 503, headers }]);
    expect(report.outcome).toBe("done");
    expect(elapsed).toBeLessThan(900);
  });
}

test("P41: a wait longer than a run may last ends the run, and holds the interval back", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const headers = { "retry-after": "7200" };
  const server = await startFaultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 429, headers } : undefined),
  });
  const overrides = { apiUrl: server.url, upload: { retryAttempts: 3 } };
  expect((await lab.run(overrides)).outcome).toBe("unreachable");
  expect((await lab.run(overrides)).reason).toContain("asked not to be called before");
  expect(server.requests).toHaveLength(1);
  lab.clockOffset = 7_300_000;
  expect((await lab.run(overrides)).outcome).toBe("done");
  await server.close();
});

test("P43: when the retries are exhausted the session is pending, never dropped", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({
    script: ({ index }) => (index < 3 ? { kind: "status", status: 500 } : undefined),
  });
  const overrides = { apiUrl: server.url, upload: { retryAttempts: 2 } };
  expect(await lab.run(overrides)).toMatchObject({ outcome: "unreachable", left: { sessions: 1 } });
  expect((await lab.status({ overrides })).out).toMatch(/pending {5}1 /);
  expect((await lab.run(overrides)).sent.lines).toBe(5);
  await server.close();
});

test("a server that is down is given up after three sessions, not asked for every one", async () => {
  await using lab = await Lab.start();
  for (let n = 0; n < 12; n++) lab.session("main", `s${n}`);
  const server = await startFaultServer({ default: { kind: "status", status: 500 } });
  const report = await lab.run({ apiUrl: server.url, upload: { concurrency: 1 } });
  await server.close();
  expect(report.outcome).toBe("unreachable");
  expect(server.requests).toHaveLength(3);
});

for (const afterwards of ["keep-reading", "close"] as const) {
  test(`P44: an early answer while the body is still being sent is read, the source closed (${afterwards})`, async () => {
    await using lab = await Lab.start();
    const { randomBytes } = await import("node:crypto");
    const noise = Array.from({ length: 60 }, (_, n) =>
      message(n, randomBytes(75_000).toString("base64")),
    );
    lab.session("main", "abc", [header("abc"), ...noise]);
    const server = await startFaultServer({
      default: { kind: "early-status", status: 401, afterwards },
    });
    const report = await lab.run({ apiUrl: server.url });
    await server.close();
    // A connection that is closed under a body may be reset before its answer is read.
    const allowed = afterwards === "close" ? ["refused", "unreachable"] : ["refused"];
    expect(allowed).toContain(report.outcome);
    expect(report.sent.lines).toBe(0);
  });
}

test("P44: a receipt that comes before the whole part has been sent is no receipt", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const stream = { agentId: "main", sessionId: "abc", source: "abc.jsonl", rank: "~" };
  const size = { bytes: 0, changedAt: 0, signature: "", names: [] };
  const reader = await openJsonl(path, { ...stream, ...size }, Date.now);
  const cut = await reader.cut(0, { maxBytes: 1_000_000 });
  if (cut.kind !== "range") throw new Error(cut.kind);
  // Everything is read and counted right, but its last bytes have not left.
  const client: Omit<Client, "delete" | "check"> = {
    address: "api.test:443",
    hasConnected: false,
    close: () => Promise.resolve(),
    async send({ body }) {
      for await (const _ of body.chunks);
      const receipt = JSON.stringify({ accepted: 5, rejected: 0, batchId: "b" });
      return { answer: { status: 200, body: receipt, endless: false }, bodySent: false };
    },
  };
  const part = {
    ...cut,
    omitted: undefined,
    idempotencyKey: "k",
    capturedAt: "2026-11-22T12:00:00.000Z",
  };
  const { omitted: _, ...planned } = part;
  const transform = createTransforms({
    config: lab.config(),
    filter: createFilter(lab.config().filter, Date.now()),
    values: [],
    apiKey: "",
    identitySecret: Buffer.alloc(32),
  })(["main"], { sessionId: "abc", names: [], ownNames: [], kinds: [], openKinds: [] });
  const send = createSender({
    client,
    codings: new CodingChoice(undefined),
    deploymentId: "d",
    projectId: "p",
    retryAttempts: 1,
    retryBackoffMs: 0,
    signal: new AbortController().signal,
    whyPaused: () => Promise.resolve(null),
    now: Date.now,
    random: () => 0,
  });
  const result = await send({
    reader,
    start: START,
    part: planned,
    generation: 1,
    agentId: "main",
    sessionId: "abc",
    transform,
  });
  await reader.close();
  expect(result).toMatchObject({
    kind: "retry",
    reason: "answered before the whole part had been sent",
  });
});

for (const behaviour of [
  { kind: "cut", at: "before-body" },
  { kind: "cut", at: "in-body", afterBytes: 50 },
  { kind: "cut", at: "after-body" },
  { kind: "accept-then-drop" },
] as const) {
  const name = "at" in behaviour ? behaviour.at : behaviour.kind;
  test(`P45: a connection cut (${name}) is retried with a fresh source and equal bytes`, async () => {
    const { report, requests } = await against([behaviour]);
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(keysOf(requests)).toBe(1);
    const bodies = requests.filter(({ complete }) => complete).map(({ lines }) => lines?.join());
    expect(new Set(bodies).size).toBe(1);
  });
}

test("P46: a server that never answers is given up by the idle limit", async () => {
  const { report, elapsed } = await against([{ kind: "stall" }], {
    retryAttempts: 0,
    timeoutMs: 300,
  });
  expect(report.reason).toContain("nothing moved for 300 ms while waiting for the answer");
  expect(elapsed).toBeLessThan(3000);
});

/** A body made by hand, to decide when its chunks come. */
const bodyOf = (chunks: AsyncIterable<Buffer>): Body => ({
  coding: "gzip",
  chunks,
  length: () => Promise.resolve(undefined),
  counts: noLines(),
  redactions: new Map(),
  sourceError: undefined,
  lastEntry: () => undefined,
  [Symbol.asyncDispose]: () => Promise.resolve(),
});

test("P46: slow progress is not a failure", async () => {
  const server = await startFaultServer();
  const client = await createClient({
    apiUrl: server.url,
    apiKey: API_KEY,
    timeoutMs: 400,
    version: "0.0.0",
  });
  const gzipped = gzipSync('{"lineIndex":0}\n');
  const body = bodyOf(
    (async function* drops() {
      for (const byte of gzipped) {
        await sleep(40);
        yield Buffer.from([byte]);
      }
    })(),
  );
  const signal = new AbortController().signal;
  const { answer, bodySent } = await client.send({
    idempotencyKey: "k",
    generation: 1,
    firstLine: 0,
    transform: { content: "full", redaction: "none" },
    body,
    signal,
  });
  await client.close();
  await server.close();
  expect(bodySent).toBe(true);
  expect(JSON.parse(answer.body)).toMatchObject({ accepted: 1 });
  expect(gzipped.length * 40).toBeGreaterThan(2 * 400);
});

test("P46: nor is a server that reads slowly, while what the kernel holds is on its way", async () => {
  // Loopback takes some 4 MB at once; this is read within seconds, the limit is one.
  const server = await startFaultServer({
    default: { kind: "slow-read", bytes: 65_536, everyMs: 50 },
  });
  const client = await createClient({
    apiUrl: server.url,
    apiKey: API_KEY,
    timeoutMs: 1000,
    version: "0.0.0",
  });
  const noise = randomBytes(3_000_000).toString("base64");
  const gzipped = gzipSync(`{"lineIndex":0,"noise":"${noise}"}\n`);
  const body = bodyOf(
    (async function* pieces() {
      for (let at = 0; at < gzipped.length; at += 65_536) yield gzipped.subarray(at, at + 65_536);
    })(),
  );
  const signal = new AbortController().signal;
  const { answer } = await client.send({
    idempotencyKey: "k",
    generation: 1,
    firstLine: 0,
    transform: { content: "full", redaction: "none" },
    body,
    signal,
  });
  await client.close();
  await server.close();
  expect(JSON.parse(answer.body)).toMatchObject({ accepted: 1 });
  expect((gzipped.length / 65_536) * 50).toBeGreaterThan(2 * 1000);
});

test("P46: a source that stalls is given up by the idle limit", async () => {
  const server = await startFaultServer();
  const client = await createClient({
    apiUrl: server.url,
    apiKey: API_KEY,
    timeoutMs: 200,
    version: "0.0.0",
  });
  const body = bodyOf(
    (async function* stalled() {
      yield gzipSync("{}").subarray(0, 5);
      await new Promise(() => undefined);
    })(),
  );
  const signal = new AbortController().signal;
  await expect(
    client.send({
      idempotencyKey: "k",
      generation: 1,
      firstLine: 0,
      transform: { content: "full", redaction: "none" },
      body,
      signal,
    }),
  ).rejects.toThrow("nothing moved for 200 ms while reading the transcript");
  await client.close();
  await server.close();
});

test("P46: an answer that drips for ever is given up", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = createServer((req, res) => {
    req.resume().on("end", () => {
      res.writeHead(200);
      const drip = setInterval(() => res.write(" "), 20);
      res.on("close", () => clearInterval(drip));
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const report = await lab.run({ apiUrl, upload: { timeoutMs: 300 } });
  server.close();
  expect(report.reason).toContain("while reading the answer");
});

test("P47: an endless response body is read up to a bound", async () => {
  const { report } = await against([{ kind: "endless" }], { retryAttempts: 0 });
  expect(report.reason).toContain("more than 1048576 bytes, which is no receipt");
});

for (const when of ["idle", "next-request"] as const) {
  test(`P48: a kept connection that the server closed (${when}) costs neither a retry nor a word`, async () => {
    await using lab = await Lab.start();
    for (const id of ["a", "b", "c", "d"]) lab.session("main", id);
    const server = await startFaultServer({
      script: ({ index }) => (index % 2 === 0 ? { kind: "accept-then-close", when } : undefined),
    });
    const retries: string[] = [];
    const report = await lab.run(
      { apiUrl: server.url, upload: { retryAttempts: 0, concurrency: 1 } },
      { events: { onRetry: (_session, reason) => void retries.push(reason) } },
    );
    await server.close();
    expect(report).toMatchObject({ outcome: "done", sent: { sessions: 4 } });
    expect(retries).toEqual([]);
  });
}

test("P49: plain http goes only to loopback unless the user says so", async () => {
  const { readConfig } = await import("../../src/config/config.ts");
  const base = { apiKey: API_KEY, deploymentId: "d", projectId: "p" };
  const http = "http://influxion.example";
  expect(readConfig({ ...base, apiUrl: http })).toMatchObject({
    ok: false,
    problems: [{ path: "apiUrl" }],
  });
  expect(readConfig({ ...base, apiUrl: http, allowInsecureHttp: true })).toMatchObject({
    ok: true,
  });
  for (const apiUrl of [
    "http://127.0.0.1:1",
    "http://localhost:1",
    "http://[::1]:1",
    "https://a.example",
  ]) {
    expect(readConfig({ ...base, apiUrl })).toMatchObject({ ok: true });
  }
  for (const apiUrl of [
    "http://127.0.0.1.example",
    "http://localhost.example",
    "http://10.0.0.1",
  ]) {
    expect(readConfig({ ...base, apiUrl })).toMatchObject({ ok: false });
  }
});
