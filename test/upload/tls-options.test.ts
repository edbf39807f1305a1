import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TlsOptions } from "node:tls";
import { expect, test } from "vitest";
import { testRoot } from "../support/certificate.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { runChild } from "../support/run-child.ts";

/** A run in a process started with these options, where only `env` may name the root of the server's certificate. */
async function runWith(
  flags: readonly string[],
  env: (roots: string) => Record<string, string>,
  server: TlsOptions = {},
): Promise<Record<string, unknown>> {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const roots = join(lab.dir, "roots.pem");
  writeFileSync(roots, testRoot.cert);
  const api = await startFaultServer({ tls: { ...testRoot, ...server } });
  const { stateDir } = lab;
  const report = await runChild({ stateDir, apiUrl: api.url, flags, env: env(roots) });
  await api.close();
  return report;
}

const none = (): Record<string, string> => ({});
const extra = (NODE_EXTRA_CA_CERTS: string) => ({ NODE_EXTRA_CA_CERTS });
/** OpenSSL's own store, and on Linux the system's. */
const store = (SSL_CERT_FILE: string) => ({ SSL_CERT_FILE, SSL_CERT_DIR: "" });

const arrived = { outcome: "done", sent: { lines: 5 } };
const untrusted = {
  outcome: "unreachable",
  reason: expect.stringContaining("TLS certificate not trusted"),
};

test("a run trusts the roots of NODE_EXTRA_CA_CERTS, and without them does not", async () => {
  expect(await runWith([], extra)).toMatchObject(arrived);
  expect(await runWith([], none)).toMatchObject(untrusted);
});

test("a run trusts OpenSSL's store if the host was started with --use-openssl-ca", async () => {
  expect(await runWith(["--use-openssl-ca"], store)).toMatchObject(arrived);
  expect(await runWith(["--use-bundled-ca"], store)).toMatchObject(untrusted);
});

// Elsewhere the system's store is the keychain or the registry, which a test should not change.
test.skipIf(process.platform !== "linux").for([
  ["--use-system-ca", ["--use-system-ca"], {}, arrived],
  ["NODE_OPTIONS", [], { NODE_OPTIONS: "--use-system-ca" }, arrived],
  ["NODE_USE_SYSTEM_CA", [], { NODE_USE_SYSTEM_CA: "1" }, arrived],
  ["--no-use-system-ca", ["--no-use-system-ca"], { NODE_USE_SYSTEM_CA: "1" }, untrusted],
] as const)(
  "a run trusts the system's store as the host does: %s",
  async ([, flags, more, expected]) => {
    const env = (roots: string) => ({ ...store(roots), ...more });
    expect(await runWith(flags, env)).toMatchObject(expected);
  },
);

test("a run speaks the versions of TLS that the host was started with", async () => {
  const old: TlsOptions = { maxVersion: "TLSv1.2" };
  expect(await runWith([], extra, old)).toMatchObject(arrived);
  expect(await runWith(["--tls-min-v1.3"], extra, old)).toMatchObject({ outcome: "unreachable" });
  const latest: TlsOptions = { minVersion: "TLSv1.3" };
  expect(await runWith(["--tls-max-v1.2"], extra, latest)).toMatchObject({
    outcome: "unreachable",
  });
});

test("a run uses the ciphers that the host was started with", async () => {
  const server: TlsOptions = { ciphers: "ECDHE-ECDSA-AES256-GCM-SHA384", maxVersion: "TLSv1.2" };
  expect(await runWith([], extra, server)).toMatchObject(arrived);
  const flag = "--tls-cipher-list=ECDHE-ECDSA-AES128-GCM-SHA256";
  expect(await runWith([flag], extra, server)).toMatchObject({ outcome: "unreachable" });
});

test("a run is not disturbed by options that a thread cannot be given", async () => {
  const flags = ["--max-old-space-size=1024", "--expose-gc", "--title=gateway", "--stack-size=900"];
  expect(await runWith(flags, extra)).toMatchObject(arrived);
});
