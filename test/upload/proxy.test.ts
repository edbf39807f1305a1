import { randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import * as tls from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, expect, test, vi } from "vitest";
import { noLines } from "../../src/lines/entry.ts";
import { hostProxyOf } from "../../src/openclaw/host.ts";
import { runInWorker } from "../../src/run/worker-runner.ts";
import type { Body } from "../../src/upload/body.ts";
import { createClient } from "../../src/upload/client.ts";
import { apiCertificate, proxyCertificate } from "../support/certificate.ts";
import { type Behaviour, type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { API_KEY, Lab } from "../support/lab.ts";
import {
  type ProxyServer,
  type ProxyServerOptions,
  startProxyServer,
} from "../support/proxy-server.ts";
import { header, message } from "../support/transcripts.ts";

tls.setDefaultCACertificates([apiCertificate.cert, proxyCertificate.cert]);

const VARIABLES = ["http_proxy", "https_proxy", "all_proxy", "no_proxy", "openclaw_proxy_url"];
for (const name of VARIABLES) {
  delete process.env[name];
  delete process.env[name.toUpperCase()];
}
afterEach(() => void vi.unstubAllEnvs());

interface Way extends AsyncDisposable {
  readonly lab: Lab;
  /** Speaks TLS unless told otherwise; the proxy connects to it whatever it is asked for. */
  readonly api: FaultServer;
  readonly proxy: ProxyServer;
}

/** A lab with one session, an API and a proxy before it. */
async function startWay(
  options: Omit<ProxyServerOptions, "port"> & {
    readonly plain?: boolean;
    readonly api?: Behaviour;
  } = {},
): Promise<Way> {
  const { plain = false, api: behaviour = { kind: "accept" }, ...proxyOptions } = options;
  const lab = await Lab.start();
  lab.session("main", "abc");
  const api = await startFaultServer({
    default: behaviour,
    ...(plain ? {} : { tls: apiCertificate }),
  });
  const proxy = await startProxyServer({ port: api.port, ...proxyOptions });
  return {
    lab,
    api,
    proxy,
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]();
      await api.close();
      await lab[Symbol.asyncDispose]();
    },
  };
}

const apiUrl = "https://api.test";

/** Sessions whose bodies stay large when they are compressed. */
function large(lab: Lab, id: string, megabytes: number): void {
  const entries = Array.from({ length: megabytes * 10 }, (_, n) =>
    message(n, randomBytes(75_000).toString("base64")),
  );
  lab.session("main", id, [header(id), ...entries]);
}

test.for(["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"])(
  "P63: an https API is reached through the proxy of %s, which sees neither key nor transcript",
  async (name) => {
    await using way = await startWay();
    vi.stubEnv(name, way.proxy.url);
    const report = await way.lab.run({ apiUrl });
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(way.proxy.requests.map(({ method, target }) => `${method} ${target}`)).toEqual([
      "CONNECT api.test:443",
    ]);
    expect(way.api.requests[0]?.headers.authorization).toBe(`Bearer ${API_KEY}`);
    expect(way.proxy.seen()).toContain("CONNECT api.test:443");
    expect(way.proxy.seen()).not.toContain(API_KEY);
    expect(way.proxy.seen()).not.toContain("ndjson");
  },
);

test.for([
  ["proxy.proxyUrl", (url: string) => ({ proxy: { proxyUrl: url } }), {}],
  ["OPENCLAW_PROXY_URL", () => ({}), { OPENCLAW_PROXY_URL: true }],
] as const)(
  "P63: the host's %s is used, whatever the environment says",
  async ([, config, env]) => {
    await using way = await startWay();
    vi.stubEnv("HTTPS_PROXY", "http://127.0.0.1:9");
    vi.stubEnv("NO_PROXY", "*");
    if ("OPENCLAW_PROXY_URL" in env) vi.stubEnv("OPENCLAW_PROXY_URL", way.proxy.url);
    const proxy = hostProxyOf(config(way.proxy.url) as never);
    const report = await way.lab.run({ apiUrl }, { proxy });
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(way.proxy.requests).toHaveLength(1);
  },
);

test("P63: a proxy that the host has switched off is not used", () => {
  const proxy = { enabled: false, proxyUrl: "http://127.0.0.1:9" };
  vi.stubEnv("OPENCLAW_PROXY_URL", "http://127.0.0.1:9");
  expect(hostProxyOf({ proxy } as never)).toBeUndefined();
});

test.for([
  ["user:secret", "user:secret"],
  ["us%20er:p%40%25%C3%A9", "us er:p@%é"],
  ["user:p@ss", "user:p@ss"],
  ["token", "token:"],
  [":secret", ":secret"],
])("P63: credentials for the proxy go to the proxy only: %s", async ([written, credentials]) => {
  await using way = await startWay({ credentials: credentials as string });
  vi.stubEnv("HTTPS_PROXY", `http://${written}@${way.proxy.address}`);
  const report = await way.lab.run({ apiUrl });
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
  expect(way.api.requests[0]?.headers).not.toHaveProperty("proxy-authorization");
});

test("P63: one without a scheme is http, as curl has it", async () => {
  await using way = await startWay({ credentials: "user:secret" });
  vi.stubEnv("HTTPS_PROXY", `user:secret@${way.proxy.address}`);
  expect(await way.lab.run({ apiUrl })).toMatchObject({ outcome: "done" });
});

test.for(["NO_PROXY", "no_proxy"])("P63: %s is respected", async (name) => {
  await using way = await startWay({ plain: true });
  vi.stubEnv("HTTP_PROXY", way.proxy.url);
  vi.stubEnv(name, "other.test, 0.0.0.0");
  // This machine by an address that is not taken for it, so that the proxy would be used.
  const url = `http://0.0.0.0:${way.api.port}`;
  const report = await way.lab.run({ apiUrl: url, allowInsecureHttp: true });
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
  expect(way.proxy.requests).toEqual([]);
});

test("P63: this machine is reached without a proxy", async () => {
  await using way = await startWay({ plain: true });
  vi.stubEnv("HTTP_PROXY", "http://127.0.0.1:9");
  expect(await way.lab.run({ apiUrl: way.api.url })).toMatchObject({ outcome: "done" });
});

test.for(["127.0.0.1", "localhost", "LOCALHOST"])(
  "P63: a proxy that speaks TLS has a certificate of its own, for its own name: %s",
  async (host) => {
    await using way = await startWay({ tls: proxyCertificate, credentials: "user:secret" });
    const { port } = new URL(way.proxy.url);
    vi.stubEnv("HTTPS_PROXY", `https://user:secret@${host}:${port}`);
    expect(await way.lab.run({ apiUrl })).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(way.proxy.requests).toHaveLength(1);
  },
);

test.for([
  ["https://api.test", { tls: apiCertificate }],
  ["http://api.test", { tls: apiCertificate, plain: true }],
] as const)(
  "P49, P63: a proxy that shows the API's certificate is refused, and the sentence says why (%s)",
  async ([url, options]) => {
    await using way = await startWay(options);
    vi.stubEnv("HTTPS_PROXY", way.proxy.url);
    vi.stubEnv("HTTP_PROXY", way.proxy.url);
    const upload = { retryAttempts: 3 };
    const report = await way.lab.run({ apiUrl: url, allowInsecureHttp: true, upload });
    expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 1 } });
    expect(report.reason).toMatch(
      /^the TLS certificate of the proxy set by HTTPS?_PROXY is for other names \(ERR_TLS_CERT_ALTNAME_INVALID\); /,
    );
    expect(report.reason).not.toContain("root");
    expect(way.proxy.requests).toEqual([]);
  },
);

test("P49: an API whose certificate is for other names is refused, and the sentence says why", async () => {
  await using way = await startWay();
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  const report = await way.lab.run({ apiUrl: "https://other.test" });
  expect(report).toMatchObject({ outcome: "unreachable", failed: 0 });
  expect(report.reason).toMatch(/^the TLS certificate is for other names .*check apiUrl/);
  expect(report.reason).not.toContain("root");
  expect(way.api.requests).toEqual([]);
});

test("P63: a proxy that speaks TLS with a root of its own, which the API is not checked with", async () => {
  const dir = mkdtempSync(join(tmpdir(), "influxion-roots-"));
  writeFileSync(join(dir, "root.pem"), proxyCertificate.cert);
  symlinkSync("root.pem", join(dir, "link.pem"));
  await using way = await startWay({ tls: proxyCertificate });
  const before = tls.getCACertificates("default");
  try {
    tls.setDefaultCACertificates([apiCertificate.cert]);
    const hostProxy = { proxyUrl: way.proxy.url, tls: { caFile: join(dir, "link.pem") } };
    const run = (proxy: object) =>
      way.lab.run({ apiUrl }, { proxy: hostProxyOf({ proxy } as never) });
    expect((await run({ proxyUrl: way.proxy.url })).reason).toContain(
      "the TLS certificate of the proxy set by proxy.proxyUrl of openclaw.json is not trusted",
    );
    expect(await run(hostProxy)).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    tls.setDefaultCACertificates([]);
    way.lab.session("main", "def");
    expect((await run(hostProxy)).reason).toContain("TLS certificate not trusted");
  } finally {
    tls.setDefaultCACertificates(before);
    rmSync(dir, { recursive: true });
  }
});

const unusable: [what: string, why: string, make: (path: string) => void][] = [
  ["missing", "ENOENT", () => undefined],
  ["a folder", "is a folder, and only a regular file is read", (path) => mkdirSync(path)],
  ["empty", "it holds no certificate in PEM", (path) => writeFileSync(path, "")],
  ["a key", "it holds no certificate in PEM", (path) => writeFileSync(path, proxyCertificate.key)],
  ["damaged", "it holds no certificate in PEM", (path) => writeFileSync(path, DAMAGED)],
];
const DAMAGED = proxyCertificate.cert.replace("MII", "AAA");

test.for(unusable)(
  "P63: a file of roots that is %s: a sentence that names the option, exit code 1",
  async ([, why, make]) => {
    await using way = await startWay({ tls: proxyCertificate });
    const path = join(way.lab.dir, "roots.pem");
    make(path);
    vi.stubEnv("OPENCLAW_PROXY_CA_FILE", path);
    for (const [caFile, source] of [
      [path, "proxy.tls.caFile of openclaw.json"],
      [undefined, "OPENCLAW_PROXY_CA_FILE"],
    ] as const) {
      const config = { proxy: { proxyUrl: way.proxy.url, tls: { caFile } } };
      const { code, out, err } = await way.lab.sync({
        overrides: { apiUrl, upload: { retryAttempts: 3 } },
        proxy: hostProxyOf(config as never),
        run: runInWorker,
      });
      expect(code).toBe(1);
      expect(out + err).toContain(
        `Nothing was uploaded: ${source} does not name a file with the roots of the proxy (`,
      );
      expect(out + err).toContain(why);
    }
    expect(way.proxy.requests).toEqual([]);
    // A proxy that does not speak TLS needs none.
    const plain = { proxyUrl: "http://127.0.0.1:9", tls: { caFile: path } };
    const options = { proxy: hostProxyOf({ proxy: plain } as never) };
    expect((await way.lab.run({ apiUrl }, options)).reason).toContain("ECONNREFUSED");
  },
);

test("P63: where a file of roots is set, an untrusted proxy's root belongs into it", async () => {
  await using way = await startWay({ tls: proxyCertificate });
  const path = join(way.lab.dir, "roots.pem");
  writeFileSync(path, `The roots of others\n${apiCertificate.cert}`);
  vi.stubEnv("OPENCLAW_PROXY_CA_FILE", path);
  const proxy = hostProxyOf({ proxy: { proxyUrl: way.proxy.url } } as never);
  const { reason } = await way.lab.run({ apiUrl }, { proxy });
  expect(reason).toContain("is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT); ");
  expect(reason).toContain("add its root to the file of OPENCLAW_PROXY_CA_FILE");
});

test("P63: bodies of megabytes, and one connection for many parts", async () => {
  await using way = await startWay();
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  for (const id of ["large-1", "large-2"]) large(way.lab, id, 3);
  const upload = { concurrency: 1 };
  expect(await way.lab.run({ apiUrl, upload })).toMatchObject({
    outcome: "done",
    sent: { sessions: 3 },
  });
  expect(way.api.requests[1]?.wireBytes).toBeGreaterThan(2_000_000);
  expect(way.api.requests.map(({ headers }) => headers["transfer-encoding"])).toEqual([
    undefined,
    "chunked",
    "chunked",
  ]);
  expect(way.proxy.requests).toHaveLength(1);
});

test("P63: a plain http API, where that is allowed, goes through the proxy of HTTP_PROXY", async () => {
  await using way = await startWay({ plain: true, credentials: "user:secret" });
  vi.stubEnv("HTTP_PROXY", `http://user:secret@${way.proxy.address}`);
  vi.stubEnv("HTTPS_PROXY", "http://127.0.0.1:9");
  large(way.lab, "large", 3);
  const report = await way.lab.run({
    apiUrl: "http://api.test:8080/base",
    allowInsecureHttp: true,
    upload: { concurrency: 1 },
  });
  expect(report).toMatchObject({ outcome: "done", sent: { sessions: 2 } });
  expect(way.proxy.requests[0]).toMatchObject({
    method: "POST",
    target: "http://api.test:8080/base/v1/openclaw/ingest/sessions",
    headers: { host: "api.test:8080" },
  });
  expect(way.api.requests[0]?.headers).not.toHaveProperty("proxy-authorization");
});

test("P63: a plain http API through a proxy that speaks TLS", async () => {
  await using way = await startWay({ plain: true, tls: proxyCertificate });
  vi.stubEnv("HTTP_PROXY", way.proxy.url);
  const report = await way.lab.run({ apiUrl: "http://other.test", allowInsecureHttp: true });
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
});

test("P44, P63: an answer through the tunnel while the body is being sent is read", async () => {
  await using way = await startWay({
    api: { kind: "early-status", status: 401, afterwards: "keep-reading" },
  });
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  large(way.lab, "abc", 5);
  const report = await way.lab.run({ apiUrl });
  expect(report).toMatchObject({ outcome: "refused", sent: { lines: 0 } });
});

test("P45, P63: a tunnel that is cut is retried with the same key", async () => {
  await using way = await startWay({
    script: (index) => (index === 0 ? { kind: "cut", afterBytes: 200_000 } : undefined),
  });
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  large(way.lab, "abc", 3);
  const report = await way.lab.run({ apiUrl, upload: { retryAttempts: 1 } });
  expect(report).toMatchObject({ outcome: "done", sent: { sessions: 1 } });
  expect(way.proxy.requests).toHaveLength(2);
  expect(new Set(way.api.requests.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
});

test.for([407, 403, 404, 405, 302, 501])(
  "P63, P69: a proxy that answers %i to CONNECT ends the run with a sentence that names it",
  async (status) => {
    await using way = await startWay({ script: () => ({ kind: "answer", status }) });
    vi.stubEnv("HTTPS_PROXY", `http://user:secret@${way.proxy.address}`);
    const report = await way.lab.run({ apiUrl, upload: { retryAttempts: 3 } });
    expect(way.proxy.requests).toHaveLength(1);
    expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 1 } });
    expect(report.reason).toContain(`the proxy set by HTTPS_PROXY answered ${status}`);
    expect(report.reason).not.toMatch(/secret|user:s/);
  },
);

test.for([100, 102])(
  "P63, P69: a proxy that answers %i before its answer to CONNECT is not understood, by curl neither",
  async (status) => {
    const bytes = `HTTP/1.1 ${status} Soon\r\n\r\nHTTP/1.1 200 OK\r\n\r\n`;
    await using way = await startWay({ script: () => ({ kind: "garbage", bytes }) });
    vi.stubEnv("HTTPS_PROXY", way.proxy.url);
    const report = await way.lab.run({ apiUrl, upload: { retryAttempts: 3 } });
    expect(report).toMatchObject({ outcome: "unreachable", failed: 0, left: { sessions: 1 } });
    expect(report.reason).toBe(
      `the proxy set by HTTPS_PROXY answered ${status} when asked for a connection to the API, which is no answer; it must answer 2xx at once`,
    );
    expect(way.proxy.requests).toHaveLength(1);
  },
);

test.for([502, 503, 504, 500, 408, 429])(
  "P40, P63: a proxy that answers %i to CONNECT is asked again",
  async (status) => {
    await using way = await startWay({
      script: (index) => (index === 0 ? { kind: "answer", status } : undefined),
    });
    vi.stubEnv("HTTPS_PROXY", way.proxy.url);
    const retries: string[] = [];
    const report = await way.lab.run(
      { apiUrl, upload: { retryAttempts: 1 } },
      { events: { onRetry: (_session, reason) => void retries.push(reason) } },
    );
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(retries).toEqual([expect.stringContaining(`HTTPS_PROXY answered ${status}`)]);
  },
);

test.for([{ kind: "hang-up" }, { kind: "garbage" }] as const)(
  "P45, P63: a proxy that does $kind is asked again, and named",
  async (behaviour) => {
    await using way = await startWay({ script: (index) => (index < 2 ? behaviour : undefined) });
    vi.stubEnv("https_proxy", way.proxy.url);
    const upload = { retryAttempts: 1 };
    expect((await way.lab.run({ apiUrl, upload })).reason).toContain(
      "the proxy set by https_proxy cannot be reached",
    );
    expect(await way.lab.run({ apiUrl, upload })).toMatchObject({ outcome: "done" });
    expect(way.proxy.requests).toHaveLength(3);
  },
);

test.for([apiUrl, "http://api.test"])(
  "P45, P63: a proxy that is down is tried again, and named without its credentials (%s)",
  async (url) => {
    await using way = await startWay();
    await way.proxy[Symbol.asyncDispose]();
    vi.stubEnv("HTTP_PROXY", `http://user:secret@${way.proxy.address}`);
    vi.stubEnv("HTTPS_PROXY", `http://user:secret@${way.proxy.address}`);
    const retries: string[] = [];
    const report = await way.lab.run(
      { apiUrl: url, allowInsecureHttp: true, upload: { retryAttempts: 2 } },
      { events: { onRetry: (_session, reason) => void retries.push(reason) } },
    );
    expect(retries).toHaveLength(2);
    expect(report.outcome).toBe("unreachable");
    expect(report.reason).toMatch(/^the proxy set by HTTPS?_PROXY cannot be reached: ECONNREFUSED/);
    expect(report.reason).not.toMatch(/secret|user/);
  },
);

test("P46, P63: the idle limit holds while a proxy does not answer", async () => {
  await using way = await startWay({ script: () => ({ kind: "silent" }) });
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  const started = performance.now();
  const report = await way.lab.run({ apiUrl, upload: { timeoutMs: 300, retryAttempts: 1 } });
  expect(performance.now() - started).toBeLessThan(5000);
  expect(report.reason).toBe(
    "IDLE_TIMEOUT: nothing moved for 300 ms while connecting through the proxy set by HTTPS_PROXY",
  );
  expect(way.proxy.requests).toHaveLength(2);
});

test("P51, P63: a run ends at once while a proxy does not answer", async () => {
  await using way = await startWay({ script: () => ({ kind: "silent" }) });
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  const abort = new AbortController();
  const running = way.lab.run({ apiUrl }, { signal: abort.signal });
  while (way.proxy.requests.length === 0) await sleep(10);
  const started = performance.now();
  abort.abort(new Error("stopped"));
  await expect(running).rejects.toThrow("stopped");
  expect(performance.now() - started).toBeLessThan(1000);
});

test("P46, P63: a tunnel lives on when more time than the idle limit has passed", async () => {
  await using way = await startWay();
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  const client = await createClient({ apiUrl, apiKey: API_KEY, timeoutMs: 300, version: "0.0.0" });
  const gzipped = gzipSync('{"lineIndex":0}\n');
  const body: Body = {
    coding: "gzip",
    chunks: (async function* drops() {
      for (const byte of gzipped) {
        await sleep(30);
        yield Buffer.from([byte]);
      }
    })(),
    length: () => Promise.resolve(undefined),
    counts: noLines(),
    redactions: new Map(),
    sourceError: undefined,
    lastEntry: () => undefined,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
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
  expect(JSON.parse(answer.body)).toMatchObject({ accepted: 1 });
  expect(gzipped.length * 30).toBeGreaterThan(2 * 300);
});

test("P58, P63: a proxy that cannot be used: a sentence without its value, exit code 1, and nothing is lost", async () => {
  await using way = await startWay();
  vi.stubEnv("HTTPS_PROXY", "http://user:p%zz-secret@127.0.0.1:9");
  const overrides = { apiUrl };
  const plain = await way.lab.sync({ overrides, run: runInWorker });
  expect(plain.code).toBe(1);
  expect(plain.err).toContain("Nothing was uploaded: HTTPS_PROXY does not name a proxy");
  const json = await way.lab.sync({ overrides, run: runInWorker, json: true });
  expect(JSON.parse(json.out)).toMatchObject({
    outcome: "error",
    exitCode: 1,
    error: { code: "PROXY_INVALID" },
  });
  const served = await way.lab.serve(overrides);
  expect(served).toContainEqual(
    expect.stringContaining("no upload this time: HTTPS_PROXY does not name a proxy"),
  );
  expect(JSON.stringify([plain, json, served])).not.toContain("secret");
  vi.stubEnv("HTTPS_PROXY", way.proxy.url);
  expect(await way.lab.run(overrides)).toMatchObject({ outcome: "done", sent: { lines: 5 } });
});
