import { once } from "node:events";
import { request } from "node:http";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { Admission } from "../../src/receiver/admission.ts";
import { Pressure } from "../../src/receiver/pressure.ts";
import { receiverIn, send, tempDir } from "./support.ts";
import { body, headersFor } from "./wire.ts";

test("a part above the limit of parts at a time is answered with 503 and Retry-After, and taken later", async () => {
  const receiver = await receiverIn(await tempDir(), { inFlight: 1 });
  const req = request(receiver.url + INGEST_PATH, { method: "POST", headers: headersFor("slow") });
  const answered = once(req, "response");
  const bytes = gzipSync(body(0, 10));
  req.write(bytes.subarray(0, 30));
  const other = body(0, 1, { sessionId: "s2" });
  await expect.poll(async () => (await send(receiver.url, "k1", other)).status).toBe(503);
  const refused = await send(receiver.url, "k2", body(0, 1, { sessionId: "s3" }));
  expect([refused.status, refused.json.error.code]).toEqual([503, "OVERLOADED"]);
  const wait = Number(refused.headers.get("retry-after"));
  expect(wait).toBeGreaterThanOrEqual(1);
  expect(wait).toBeLessThanOrEqual(240);
  req.end(bytes.subarray(30));
  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  response.resume();
  expect((await send(receiver.url, "k2", body(0, 1, { sessionId: "s3" }))).status).toBe(200);
});

test("a request without a key takes nobody's place", async () => {
  const receiver = await receiverIn(await tempDir(), { inFlight: 1, ratePerKey: 1 });
  for (let n = 0; n < 5; n++) {
    const answer = await send(receiver.url, "k1", body(0, 1), { authorization: "Bearer no" });
    expect(answer.status).toBe(401);
  }
  expect((await send(receiver.url, "k1", body(0, 1))).status).toBe(200);
});

test("more parts than a key may send are answered with 429 and Retry-After", async () => {
  let now = 0;
  const receiver = await receiverIn(await tempDir(), { ratePerKey: 1, now: () => now });
  const statuses: number[] = [];
  for (let n = 0; n < 3; n++) {
    statuses.push((await send(receiver.url, `k${n}`, body(n, n + 1))).status);
  }
  expect(statuses).toEqual([200, 200, 429]);
  const refused = await send(receiver.url, "k2", body(2, 3));
  expect(refused.json.error.code).toBe("RATE_LIMITED");
  expect(refused.headers.get("retry-after")).toBe("1");
  now += 1000;
  expect((await send(receiver.url, "k2", body(2, 3))).status).toBe(200);
});

test("each key has a rate of its own", () => {
  const admission = new Admission({ ratePerKey: 1, now: () => 0 });
  for (const key of ["a", "a", "b", "b"]) admission.enter(key);
  expect(() => admission.enter("a")).toThrow("too many parts");
  expect(() => admission.enter("b")).toThrow("too many parts");
});

test("a clock that is set back neither gives parts nor takes them", () => {
  let now = 10_000;
  const admission = new Admission({ ratePerKey: 1, now: () => now });
  admission.enter("a");
  now = 0;
  admission.enter("a");
  expect(() => admission.enter("a")).toThrow("too many parts");
  now = 1000;
  admission.enter("a");
});

test("what was let in counts until it is done", () => {
  const admission = new Admission({ inFlight: 2 });
  const first = admission.enter("a");
  admission.enter("b");
  expect(() => admission.enter("c")).toThrow("2 parts are being taken already");
  first[Symbol.dispose]();
  admission.enter("c");
  expect(admission.running).toBe(2);
});

test("the more are refused for each that is taken, the longer they are spread, within bounds", () => {
  let now = 0;
  const pressure = new Pressure(() => now);
  expect(pressure.spread).toBe(10);
  const seconds: number[] = [];
  for (const [refused, taken] of [
    [10, 10],
    [40, 0],
    [10_000, 0],
  ] as const) {
    for (let n = 0; n < refused; n++) pressure.refused();
    for (let n = 0; n < taken; n++) pressure.taken();
    seconds.push(pressure.spread);
  }
  expect(seconds).toEqual([10, 50, 240]);
  now += 600_000;
  expect(pressure.spread).toBe(10);
});
