import { Readable } from "node:stream";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { Agent, request } from "undici";
import { expect, onTestFinished, test } from "vitest";
import { type Behaviour, type FaultServerOptions, startFaultServer } from "./fault-server.ts";

const LINES = ['{"n":0}', '{"n":1}', '{"n":2}'];

async function faultServer(options: FaultServerOptions | Behaviour) {
  const server = await startFaultServer("kind" in options ? { default: options } : options);
  const agent = new Agent({ connections: 1, pipelining: 1 });
  onTestFinished(async () => {
    await agent.destroy();
    await server.close();
    expect(server.openSockets()).toBe(0);
  });

  async function post(
    key = "k1",
    body: Buffer | AsyncIterable<Buffer> = gzipSync(LINES.join("\n")),
    coding = "gzip",
  ) {
    const answer = await request(server.url, {
      method: "POST",
      body: Buffer.isBuffer(body) ? body : Readable.from(body),
      headers: { "idempotency-key": key, "content-encoding": coding },
      dispatcher: agent,
      bodyTimeout: 300,
      headersTimeout: 300,
    });
    return { status: answer.statusCode, headers: answer.headers, text: await answer.body.text() };
  }
  return { server, post };
}

/** A body of random-like chunks that does not end by itself. */
async function* endlessBody(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(64 * 1024, "x");
    await new Promise(setImmediate);
  }
}

test("it accepts, records and stores unless told otherwise", async () => {
  const { server, post } = await faultServer({});
  const { text } = await post();
  expect(JSON.parse(text)).toEqual({ accepted: 3, rejected: 0, batchId: "batch-0" });
  expect(server.stored).toEqual(new Map([["k1", LINES]]));
  expect(server.requests).toMatchObject([
    { index: 0, attempt: 1, idempotencyKey: "k1", socketId: 0, complete: true, lines: LINES },
  ]);
});

test("a zstd body is stored as its gzip twin, and each is recorded with its coding", async () => {
  const { server, post } = await faultServer({});
  const frames = [LINES.slice(0, 2), LINES.slice(2)].map((lines) =>
    zstdCompressSync(lines.map((line) => `${line}\n`).join("")),
  );
  await post("k1", gzipSync(`${LINES.join("\n")}\n`));
  await post("k2", Buffer.concat(frames), "zstd");
  await post("k3", Buffer.from(`${LINES.join("\n")}\n`), "identity");
  expect(server.stored.get("k2")).toEqual(LINES);
  const [gzip, zstd, plain] = server.requests;
  expect(server.requests.map((request) => request.contentEncoding)).toEqual([
    "gzip",
    "zstd",
    "identity",
  ]);
  expect(zstd?.decodedSha256).toBe(plain?.sha256);
  expect(gzip?.decodedSha256).toBe(plain?.sha256);
  expect(zstd?.sha256).not.toBe(gzip?.sha256);
});

test("a body that is not in its coding has neither lines nor a decoded digest", async () => {
  const { server, post } = await faultServer({});
  const whole = zstdCompressSync(LINES.join("\n"));
  const broken = [
    whole.subarray(0, -1),
    Buffer.concat([whole, Buffer.from("more")]),
    gzipSync(LINES.join("\n")),
  ];
  for (const body of broken) await post("k1", body, "zstd");
  expect(
    server.requests.map(({ complete, lines, decodedSha256 }) => [complete, lines, decodedSha256]),
  ).toEqual(broken.map(() => [true, undefined, undefined]));
});

test("receipts, and nothing else, carry the headers they were told to", async () => {
  const { post } = await faultServer({
    script: ({ index }) => (index === 0 ? { kind: "status", status: 503 } : undefined),
    receiptHeaders: ({ attempt }) => ({ "accept-encoding": attempt === 2 ? "zstd" : "gzip" }),
  });
  expect((await post()).headers["accept-encoding"]).toBeUndefined();
  expect((await post()).headers["accept-encoding"]).toBe("zstd");
  expect((await post()).headers).toMatchObject({
    "accept-encoding": "gzip",
    "content-type": "application/json",
  });
  const fixed = await faultServer({ receiptHeaders: { "accept-encoding": "zstd, gzip" } });
  expect((await fixed.post()).headers["accept-encoding"]).toBe("zstd, gzip");
});

test("the script sees each attempt and chooses for it", async () => {
  const { server, post } = await faultServer({
    script: ({ idempotencyKey }, attempt) =>
      idempotencyKey === "k1" && attempt === 1
        ? { kind: "status", status: 503, headers: { "retry-after": "7" }, body: "busy" }
        : undefined,
  });
  expect(await post()).toMatchObject({
    status: 503,
    headers: { "retry-after": "7" },
    text: "busy",
  });
  expect((await post()).status).toBe(200);
  const [first, second] = server.requests;
  expect(first?.sha256).toBe(second?.sha256);
  expect(second).toMatchObject({ attempt: 2, behaviour: "accept" });
});

test("receipts can be wrong", async () => {
  const wrong = await faultServer({ kind: "wrong-counts", accepted: 1, rejected: 0 });
  expect(JSON.parse((await wrong.post()).text)).toMatchObject({ accepted: 1 });
  const rejecting = await faultServer({ kind: "reject-lines", lines: [1], reason: "no" });
  expect(JSON.parse((await rejecting.post()).text)).toMatchObject({
    accepted: 2,
    rejected: 1,
    errors: [{ lineIndex: 1, reason: "no" }],
  });
});

test.for(["keep-reading", "close"] as const)(
  "an early answer is there while the body is still being sent (%s)",
  async (afterwards) => {
    const { server, post } = await faultServer({
      kind: "early-status",
      status: 401,
      body: "no",
      afterwards,
    });
    expect(await post("k1", endlessBody())).toMatchObject({ status: 401, text: "no" });
    expect(server.requests[0]?.complete).toBe(false);
  },
);

const broken: [Behaviour, stored: boolean][] = [
  [{ kind: "cut", at: "before-body" }, false],
  [{ kind: "cut", at: "in-body", afterBytes: 10 }, false],
  [{ kind: "cut", at: "after-body" }, false],
  [{ kind: "cut", at: "after-answer-headers" }, true],
  [{ kind: "cut", at: "in-answer" }, true],
  [{ kind: "accept-then-drop" }, true],
  [{ kind: "garbage" }, false],
  [{ kind: "stall" }, false],
];

test.for(broken)("no answer can be read: %o", async ([behaviour, stored]) => {
  const { server, post } = await faultServer(behaviour);
  await expect(post()).rejects.toThrow();
  expect(server.stored.has("k1")).toBe(stored);
});

test("a cut within the body comes after about as many bytes", async () => {
  const { server, post } = await faultServer({ kind: "cut", at: "in-body", afterBytes: 1_000_000 });
  await expect(post("k1", endlessBody())).rejects.toThrow();
  expect(server.requests[0]?.wireBytes).toBeGreaterThanOrEqual(1_000_000);
  expect(server.requests[0]?.wireBytes).toBeLessThan(1_200_000);
});

test("a server that stops reading makes the client stop sending", async () => {
  const { server, post } = await faultServer({ kind: "stop-reading", afterBytes: 100_000 });
  let sent = 0;
  async function* counted() {
    for await (const chunk of endlessBody()) {
      sent += chunk.length;
      yield chunk;
    }
  }
  const answered = post("k1", counted()).catch((error: Error) => error);
  const settled = async () => {
    const before = sent;
    await new Promise((done) => setTimeout(done, 100));
    return before > 0 && before === sent;
  };
  await expect.poll(settled, { timeout: 4000 }).toBe(true);
  expect(server.requests[0]?.wireBytes).toBeLessThan(300_000);
  await server.close();
  expect(await answered).toBeInstanceOf(Error);
});

test("a slow reader takes its time and the whole body", async () => {
  const { server, post } = await faultServer({ kind: "slow-read", bytes: 10, everyMs: 5 });
  const before = performance.now();
  expect((await post()).status).toBe(200);
  expect(performance.now() - before).toBeGreaterThan(15);
  expect(server.stored.get("k1")).toEqual(LINES);
});

test("a captive portal's page is a 200", async () => {
  const { post } = await faultServer({ kind: "html" });
  expect(await post()).toMatchObject({ status: 200, text: expect.stringContaining("<!doctype") });
});

test("an endless answer goes on until the client has had enough", async () => {
  const { server } = await faultServer({ kind: "endless" });
  const answer = await request(server.url, { method: "POST", body: "{}" });
  let bytes = 0;
  for await (const chunk of answer.body) {
    bytes += chunk.length;
    if (bytes > 5_000_000) break;
  }
  await expect.poll(() => server.openSockets()).toBe(0);
});

test("a redirect names another origin", async () => {
  const { post } = await faultServer({ kind: "redirect", to: "http://other.test/", status: 308 });
  expect(await post()).toMatchObject({ status: 308, headers: { location: "http://other.test/" } });
});

test("a kept-alive connection closes just as the next request comes", async () => {
  const { server, post } = await faultServer({
    script: ({ index }) =>
      index === 0 ? { kind: "accept-then-close", when: "next-request" } : undefined,
  });
  expect((await post("k1")).status).toBe(200);
  await expect(post("k2")).rejects.toThrow();
  expect((await post("k2")).status).toBe(200);
  expect(server.requests.map(({ behaviour, socketId }) => [behaviour, socketId])).toEqual([
    ["accept-then-close", 0],
    ["dropped", 0],
    ["accept", 1],
  ]);
});

test("a kept-alive connection closes while idle", async () => {
  const { server, post } = await faultServer({ kind: "accept-then-close", when: "idle" });
  expect((await post()).headers.connection).toBe("keep-alive");
  await expect.poll(() => server.openSockets()).toBe(0);
});
