import { generateKeyPairSync } from "node:crypto";
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";
import { afterEach, expect, test, vi } from "vitest";
import type { InfluxionError } from "../../src/shared/problem.ts";
import { readTlsFiles } from "../../src/upload/tls-files.ts";
import { apiCertificate, proxyCertificate, selfSigned, testRoot } from "../support/certificate.ts";
import { type FaultServer, startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { startProxyServer } from "../support/proxy-server.ts";
import { runChild } from "../support/run-child.ts";

for (const name of ["http_proxy", "https_proxy", "all_proxy", "no_proxy"]) {
  delete process.env[name];
  delete process.env[name.toUpperCase()];
}
afterEach(() => void vi.unstubAllEnvs());

/** A lab with one session, an API that speaks TLS, and the files that its clients may be given. */
async function startApi(
  options: TlsOptions = {},
): Promise<AsyncDisposable & { lab: Lab; api: FaultServer; file(pem: string): string }> {
  const lab = await Lab.start();
  lab.session("main", "abc");
  const api = await startFaultServer({ tls: { ...testRoot, ...options } });
  let files = 0;
  return {
    lab,
    api,
    file(pem) {
      const path = join(lab.dir, `${files++}.pem`);
      writeFileSync(path, pem, { mode: 0o600 });
      return path;
    },
    async [Symbol.asyncDispose]() {
      await api.close();
      await lab[Symbol.asyncDispose]();
    },
  };
}

/** Asks for a certificate, and takes that of {@link apiCertificate} alone. */
const mutual: TlsOptions = {
  requestCert: true,
  rejectUnauthorized: true,
  ca: apiCertificate.cert,
};

test("P98: a root of tls.ca counts, and without it the API is not trusted", async () => {
  await using way = await startApi();
  const { lab, api } = way;
  const without = await lab.run({ apiUrl: api.url });
  expect(without.outcome).toBe("unreachable");
  expect(without.reason).toContain("tls.ca");
  const ca = way.file(`A company's roots\n${proxyCertificate.cert}${testRoot.cert}`);
  expect(await lab.run({ apiUrl: api.url, tls: { ca } })).toMatchObject({ outcome: "done" });
});

test("P98: a root of tls.ca counts beside those of NODE_EXTRA_CA_CERTS", async () => {
  await using way = await startApi();
  const { lab, api } = way;
  const env = { NODE_EXTRA_CA_CERTS: way.file(testRoot.cert) };
  const config = { tls: { ca: way.file(proxyCertificate.cert) } };
  const { stateDir } = lab;
  expect(await runChild({ stateDir, apiUrl: api.url, env, config })).toMatchObject({
    outcome: "done",
    sent: { lines: 5 },
  });
});

test.for(["TLSv1.2", "TLSv1.3"] as const)(
  "P98: an API that asks for a certificate is shown that of tls.cert (%s)",
  async (version) => {
    await using way = await startApi({ ...mutual, minVersion: version, maxVersion: version });
    const { lab, api } = way;
    const ca = way.file(testRoot.cert);
    const own = { cert: way.file(apiCertificate.cert), key: way.file(apiCertificate.key) };
    const done = await lab.run({ apiUrl: api.url, tls: { ca, ...own } });
    expect(done).toMatchObject({ outcome: "done", problems: [] });
  },
);

test("P98: where the API asks for a certificate and none is set, the sentence says so", async () => {
  await using way = await startApi({ ...mutual, minVersion: "TLSv1.3" });
  const { lab, api } = way;
  const ca = way.file(testRoot.cert);
  const address = api.url.replace("https://", "");
  const none = await lab.run({ apiUrl: api.url, tls: { ca } });
  expect(none).toMatchObject({ outcome: "unreachable", sent: { lines: 0 } });
  expect(none.reason).toContain(`${address} wants a certificate of this machine`);
  expect(none.reason).toContain("set tls.cert and tls.key");
});

test.for(["http", "https"] as const)(
  "P98: behind an %s proxy, the API is checked by tls.ca and shown tls.cert, and the proxy is not",
  async (scheme) => {
    await using way = await startApi(mutual);
    const { lab, api } = way;
    await using proxy = await startProxyServer({
      port: api.port,
      ...(scheme === "https" ? { tls: proxyCertificate } : {}),
    });
    const roots = way.file(proxyCertificate.cert);
    const host = {
      url: proxy.url,
      source: "proxy.proxyUrl of openclaw.json",
      caFile: { path: roots, source: "proxy.tls.caFile of openclaw.json" },
    };
    const ca = way.file(testRoot.cert);
    const own = { cert: way.file(apiCertificate.cert), key: way.file(apiCertificate.key) };
    const options = { apiUrl: "https://api.test" };
    const done = await lab.run({ ...options, tls: { ca, ...own } }, { proxy: host });
    expect(done).toMatchObject({ outcome: "done", sent: { lines: 5 } });
    expect(proxy.requests[0]).toMatchObject({ method: "CONNECT", target: "api.test:443" });
  },
);

test("P98: a root of tls.ca makes no proxy trusted", async () => {
  await using way = await startApi();
  const { lab, api } = way;
  await using proxy = await startProxyServer({ port: api.port, tls: proxyCertificate });
  vi.stubEnv("HTTPS_PROXY", proxy.url);
  const ca = way.file(`${testRoot.cert}${proxyCertificate.cert}`);
  const { reason } = await lab.run({ apiUrl: "https://api.test", tls: { ca } });
  expect(reason).toContain("the TLS certificate of the proxy set by HTTPS_PROXY is not trusted");
});

test("other files change neither key nor destination", async () => {
  await using way = await startApi();
  const { lab, api } = way;
  const first = way.file(testRoot.cert);
  expect(await lab.run({ apiUrl: api.url, tls: { ca: first } })).toMatchObject({ outcome: "done" });
  const second = await lab.run({
    apiUrl: api.url,
    tls: { ca: way.file(testRoot.cert + apiCertificate.cert) },
  });
  expect(second).toMatchObject({ outcome: "done", sent: { parts: 0 } });
});

const locked = generateKeyPairSync("ec", {
  namedCurve: "P-256",
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" },
}).privateKey;

const damaged = testRoot.cert.replace("MII", "MIJ");

test.for([
  ["a missing one", "ca", null, /ENOENT/],
  ["a folder", "ca", "folder", /it is no regular file/],
  ["a key", "ca", testRoot.key, /it holds no certificate in PEM/],
  ["an empty one", "cert", "", /it holds no certificate in PEM/],
  ["a damaged one", "ca", damaged, /a certificate in it is damaged/],
  ["one with a damaged root behind another", "ca", testRoot.cert + damaged, /is damaged/],
  ["a certificate", "key", testRoot.cert, /it holds no private key in PEM/],
  ["a key with a passphrase", "key", locked, /it is protected by a passphrase/],
  ["the key of another", "key", selfSigned.key, /does not belong to the first certificate/],
] as const)(
  "P98: %s for tls.%s is told before anything is sent, by option and without its path",
  async ([, option, content, why]) => {
    await using way = await startApi(mutual);
    const { lab, api } = way;
    const path = join(lab.dir, "secret-place.pem");
    if (content === "folder") mkdirSync(path);
    else if (content !== null) writeFileSync(path, content, { mode: 0o600 });
    const good = { cert: way.file(apiCertificate.cert), key: way.file(apiCertificate.key) };
    const tls = { ...good, [option]: path };
    const { code, err, out } = await lab.sync({ overrides: { apiUrl: api.url, tls } });
    expect(code).toBe(1);
    expect(err).toMatch(why);
    expect(err).toContain(`tls.${option}`);
    expect(err + out).not.toContain("secret-place");
    expect(api.requests).toEqual([]);
    await expect(readTlsFiles({ tls })).rejects.toMatchObject({ code: "TLS_INVALID" });
  },
);

test.skipIf(process.platform === "win32")(
  "a file may be a link, as a mounted secret is, and its place may begin with ~",
  async () => {
    await using way = await startApi();
    const link = join(way.lab.dir, "link.pem");
    symlinkSync(way.file(testRoot.cert), link);
    vi.stubEnv("HOME", way.lab.dir);
    const files = await readTlsFiles({ tls: { ca: "~/link.pem" } });
    expect(files.ca?.toString()).toBe(testRoot.cert);
    rmSync(link);
    const gone = await readTlsFiles({ tls: { ca: "~/link.pem" } }).catch((error: unknown) => error);
    expect((gone as InfluxionError).message).toContain("tls.ca does not name a file");
  },
);

test.skipIf(process.platform === "win32")(
  "a key that every user can read is used, and reported",
  async () => {
    await using way = await startApi(mutual);
    const { lab, api } = way;
    const ca = way.file(testRoot.cert);
    const own = { cert: way.file(apiCertificate.cert), key: way.file(apiCertificate.key) };
    chmodSync(own.key, 0o644);
    const report = await lab.run({ apiUrl: api.url, tls: { ca, ...own } });
    expect(report).toMatchObject({ outcome: "done", problems: [{ code: "TLS_KEY_EXPOSED" }] });
    chmodSync(own.key, 0o640);
    expect((await readTlsFiles({ tls: { ca, ...own } })).warnings).toEqual([]);
  },
);
