import * as tls from "node:tls";
import { afterEach, expect, onTestFinished, test, vi } from "vitest";
import { CLOCK_TOLERANCE_MS } from "../../src/check/api.ts";
import { CHECK_HEADER } from "../../src/protocol/wire.ts";
import { apiCertificate, proxyCertificate, selfSigned, testRoot } from "../support/certificate.ts";
import { checksOf } from "../support/checks.ts";
import { type FaultServerOptions, startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import { startProxyServer } from "../support/proxy-server.ts";

tls.setDefaultCACertificates([testRoot.cert, apiCertificate.cert, proxyCertificate.cert]);

for (const name of ["http_proxy", "https_proxy", "no_proxy", "openclaw_proxy_url"]) {
  delete process.env[name];
  delete process.env[name.toUpperCase()];
}
afterEach(() => void vi.unstubAllEnvs());

const apiWith = async (options: FaultServerOptions = {}) => {
  const api = await startFaultServer(options);
  onTestFinished(() => api.close());
  return api;
};

/** A lab with one session, and what a check of it finds when its API is this one. */
async function checkOf(apiUrl: string, overrides: Record<string, unknown> = {}) {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const spoken = await lab.check({ json: true, overrides: { apiUrl, ...overrides } });
  return Object.assign(checksOf(spoken), { code: spoken.code });
}

const status = (answer: number, more: object = {}): FaultServerOptions => ({
  default: { kind: "status", status: answer, ...more },
});

const okBody = { headers: { "content-type": "application/json" }, body: '{"check":"ok"}' };

test("P100: a check asks the API once, with the key, and without a line of any session", async () => {
  const api = await apiWith(status(200, okBody));
  const found = await checkOf(api.url);
  expect(found).toMatchObject({ credentials: { verdict: "ok" }, code: 0 });
  expect(api.requests).toMatchObject([
    {
      method: "POST",
      path: "/v1/openclaw/ingest/sessions?projectId=project",
      wireBytes: 0,
      headers: {
        authorization: `Bearer ${API_KEY}`,
        [CHECK_HEADER]: "1",
        "content-type": "application/x-ndjson",
        "content-length": "0",
      },
    },
  ]);
  expect(api.requests[0]?.headers["idempotency-key"]).toBeUndefined();
});

test("P100: a key or project that the API refuses fails, and the way to it does not", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const spoken = await lab.check({ overrides: { apiKey: "sk-another" }, json: true });
  expect(checksOf(spoken)).toMatchObject({
    tcp: { verdict: "ok" },
    clock: { verdict: "ok" },
    credentials: { verdict: "failed", reason: expect.stringContaining("answered 401") },
  });
  expect(spoken.code).toBe(3);
  const api = await apiWith(status(403, { headers: { "content-type": "application/json" } }));
  expect(await checkOf(api.url)).toMatchObject({ credentials: { verdict: "failed" }, code: 3 });
});

test.for([
  ["a receipt for nothing", status(200, { ...okBody, body: '{"accepted":0,"rejected":0}' })],
  ["a captive portal", { default: { kind: "html" } } as const],
  ["400", status(400)],
  ["404", status(404)],
  ["405", status(405)],
  ["409", status(409)],
  ["415", status(415)],
  ["429", status(429)],
  ["503", status(503)],
] as const)("P100: %s is not verified, and no failure", async ([, options]) => {
  const api = await apiWith(options);
  const found = await checkOf(api.url);
  expect(found).toMatchObject({ credentials: { verdict: "unknown" }, code: 0 });
  expect(found.credentials?.message).toContain("not verified");
});

test("a redirect fails, and so does what is not HTTP", async () => {
  const redirect = await apiWith({ default: { kind: "redirect", to: "https://elsewhere.test/" } });
  expect(await checkOf(redirect.url)).toMatchObject({
    credentials: { verdict: "failed", reason: expect.stringContaining("https://elsewhere.test") },
    code: 3,
  });
  const garbage = await apiWith({ default: { kind: "garbage" } });
  expect(await checkOf(garbage.url)).toMatchObject({
    tcp: { verdict: "ok" },
    credentials: { verdict: "failed", reason: expect.stringContaining("does not speak HTTP") },
    code: 3,
  });
});

test("a name that leads nowhere fails at DNS, and what comes behind it is not blamed", async () => {
  expect(await checkOf("https://nowhere.invalid")).toMatchObject({
    dns: { verdict: "failed", host: "nowhere.invalid" },
    tcp: { verdict: "skipped", because: "way" },
    tls: { verdict: "skipped", because: "way" },
    credentials: { verdict: "skipped", because: "way" },
    code: 3,
  });
});

test("a port where nobody listens fails at TCP, with a name as with an address", async () => {
  const skipped = { verdict: "skipped" };
  expect(await checkOf("https://localhost:9")).toMatchObject({
    dns: { verdict: "ok", host: "localhost" },
    tcp: { verdict: "failed", reason: expect.stringContaining("ECONNREFUSED") },
    tls: skipped,
    credentials: skipped,
  });
  expect(await checkOf("http://127.0.0.1:9")).toMatchObject({
    dns: { verdict: "skipped", because: "address" },
    tcp: { verdict: "failed" },
  });
});

test("a server that takes the connection and says nothing fails where it does, in bounded time", async () => {
  const silent = await apiWith({ default: { kind: "stall" } });
  expect(await checkOf(silent.url, { upload: { timeoutMs: 200 } })).toMatchObject({
    tcp: { verdict: "ok" },
    credentials: { verdict: "failed", reason: expect.stringContaining("nothing moved for 200 ms") },
  });
});

test("a certificate that is trusted is shown with its issuer and its end", async () => {
  const api = await apiWith({ ...status(200, okBody), tls: testRoot });
  expect(await checkOf(`https://localhost:${api.port}`)).toMatchObject({
    tls: { verdict: "ok", certificate: { issuer: "influxion test" } },
    credentials: { verdict: "ok" },
  });
});

test("a certificate that ends soon is a warning", async () => {
  const api = await apiWith({ ...status(200, okBody), tls: testRoot });
  await using lab = await Lab.start();
  lab.session("main", "abc");
  lab.clockOffset = Date.parse("2119-12-25T00:00:00Z") - Date.now();
  const spoken = await lab.check({ overrides: { apiUrl: api.url } });
  expect(spoken.out).toMatch(/! TLS +certificate issued by influxion test, valid until 2120-01-01/);
});

test("a certificate that is not trusted fails at TLS, and who issued it is named", async () => {
  const api = await apiWith({ tls: selfSigned });
  const found = await checkOf(api.url);
  expect(found).toMatchObject({
    tcp: { verdict: "ok" },
    tls: { verdict: "failed", certificate: { issuer: "127.0.0.1" } },
    credentials: { verdict: "skipped", because: "way" },
    code: 3,
  });
  expect(found.tls?.message).toContain("it was issued by 127.0.0.1");
  expect(api.requests).toEqual([]);
});

test("a certificate for another name fails at TLS", async () => {
  const api = await apiWith({ tls: apiCertificate });
  expect(await checkOf(`https://localhost:${api.port}`)).toMatchObject({
    tls: { verdict: "failed", reason: expect.stringContaining("for other names") },
  });
});

test("https to a port that speaks plain http fails at TLS", async () => {
  const api = await apiWith();
  expect(await checkOf(`https://127.0.0.1:${api.port}`)).toMatchObject({
    tcp: { verdict: "ok" },
    tls: { verdict: "failed", certificate: null },
  });
});

test("the clock is compared with the API's, and what is beyond the tolerance is a warning", async () => {
  const api = await apiWith(status(200, okBody));
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const clockOf = async (offset: number) => {
    lab.clockOffset = offset;
    const overrides = { apiUrl: api.url };
    return checksOf(await lab.check({ json: true, overrides })).clock;
  };
  expect(await clockOf(0)).toMatchObject({ verdict: "ok", skewMs: 0 });
  expect(await clockOf(60_000)).toMatchObject({ verdict: "ok" });
  const ahead = await clockOf(CLOCK_TOLERANCE_MS + 60_000);
  expect(ahead).toMatchObject({ verdict: "warning" });
  expect(ahead?.message).toMatch(/^6 min ahead of the API's; 5 min are tolerated: set/);
  const behind = await clockOf(-CLOCK_TOLERANCE_MS - 60_000);
  expect(behind?.message).toMatch(/^6 min behind the API's/);
});

test("the clock is unknown without a date, or with one out of a cache", async () => {
  const cached = await apiWith(status(200, { ...okBody, headers: { age: "40" } }));
  expect(await checkOf(cached.url)).toMatchObject({ clock: { verdict: "unknown" }, code: 0 });
});

test("a proxy is named with what sets it, and not with its password", async () => {
  const api = await apiWith({ ...status(200, okBody), tls: apiCertificate });
  await using proxy = await startProxyServer({ port: api.port, credentials: "user:hunter2" });
  vi.stubEnv("HTTPS_PROXY", `http://user:hunter2@${proxy.address}`);
  const found = await checkOf("https://api.test");
  expect(found).toMatchObject({
    dns: { verdict: "skipped", because: "proxy" },
    tcp: { verdict: "skipped", because: "proxy" },
    tls: { verdict: "ok", certificate: { issuer: "influxion test api" } },
    proxy: { verdict: "ok", proxy: proxy.url, source: "HTTPS_PROXY" },
    credentials: { verdict: "ok" },
  });
  expect(JSON.stringify(found)).not.toContain("hunter2");
  expect(proxy.seen()).not.toContain(API_KEY);
});

test("a proxy that refuses, or is not there, fails as the proxy", async () => {
  const api = await apiWith({ tls: apiCertificate });
  await using proxy = await startProxyServer({ port: api.port, credentials: "user:hunter2" });
  vi.stubEnv("HTTPS_PROXY", proxy.address);
  expect(await checkOf("https://api.test")).toMatchObject({
    proxy: { verdict: "failed", reason: expect.stringContaining("407") },
    tls: { verdict: "skipped", because: "way" },
    credentials: { verdict: "skipped", because: "way" },
    code: 3,
  });
  vi.stubEnv("HTTPS_PROXY", "127.0.0.1:9");
  const away = await checkOf("https://api.test");
  expect(away).toMatchObject({ proxy: { verdict: "failed" }, code: 3 });
});

test("a proxy that is set in a form that cannot be used is a failure of the setup", async () => {
  vi.stubEnv("HTTPS_PROXY", "socks5://127.0.0.1:1080");
  expect(await checkOf("https://api.test")).toMatchObject({
    proxy: { verdict: "failed", reason: expect.stringContaining("SOCKS is not supported") },
    dns: { verdict: "skipped", because: "way" },
    code: 1,
  });
});

test("P101: the key is in nothing that a check prints, whatever it finds", async () => {
  const echo = status(500, { body: `{"key":"${API_KEY}"}` });
  const apis = await Promise.all([
    apiWith(status(401, { body: API_KEY })),
    apiWith(echo),
    apiWith({ default: { kind: "garbage", bytes: `HTTP/1.1 200 ${API_KEY}\u0000\r\n\r\n` } }),
    apiWith({ default: { kind: "redirect", to: `https://elsewhere.test/${API_KEY}` } }),
  ]);
  await using lab = await Lab.start();
  lab.session("main", "abc");
  for (const { url } of [...apis, { url: lab.receiver.url }, { url: "https://nowhere.invalid" }]) {
    for (const json of [true, false]) {
      const { out, err } = await lab.check({ json, overrides: { apiUrl: url } });
      expect(out + err).not.toContain(API_KEY);
    }
  }
});
