import { writeFile } from "node:fs/promises";
import { get } from "node:https";
import { join } from "node:path";
import type { TLSSocket } from "node:tls";
import { expect, test } from "vitest";
import { selfSigned, testRoot } from "../support/certificate.ts";
import { receiverIn, tempDir } from "./support.ts";

interface Pem {
  readonly cert: string;
  readonly key: string;
}

async function filesOf(dir: string, { cert, key }: Pem): Promise<{ cert: string; key: string }> {
  const files = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem") };
  await writeFile(files.cert, cert);
  await writeFile(files.key, key);
  return files;
}

/** The status of /healthz for a client that trusts `ca`, and whom the certificate names. */
function probe(url: string, ca: string): Promise<{ status: number | undefined; name: string }> {
  return new Promise((done, failed) => {
    const req = get(`${url}/healthz`, { ca, agent: false }, (response) => {
      const { CN } = (response.socket as TLSSocket).getPeerCertificate().subject;
      response.resume();
      done({ status: response.statusCode, name: String(CN) });
    });
    req.on("error", failed);
  });
}

test("it speaks https with a certificate from files", async () => {
  const tls = await filesOf(await tempDir(), selfSigned);
  const { url } = await receiverIn(await tempDir(), { tls });
  expect(url).toMatch(/^https:/);
  expect(await probe(url, selfSigned.cert)).toEqual({ status: 200, name: "127.0.0.1" });
});

test("a renewed certificate is used without a restart, and a bad one is not", async () => {
  const dir = await tempDir();
  const tls = await filesOf(dir, selfSigned);
  const receiver = await receiverIn(await tempDir(), { tls });
  await filesOf(dir, testRoot);
  await receiver.reloadTls();
  const renewed = { status: 200, name: "influxion test" };
  expect(await probe(receiver.url, testRoot.cert)).toEqual(renewed);
  await filesOf(dir, { ...testRoot, key: selfSigned.key });
  await expect(receiver.reloadTls()).rejects.toMatchObject({ code: "RECEIVER_TLS_UNUSABLE" });
  expect(await probe(receiver.url, testRoot.cert)).toEqual(renewed);
});

test("files that are no certificate are named", async () => {
  const dir = await tempDir();
  const missing = { cert: join(dir, "cert.pem"), key: join(dir, "key.pem") };
  await expect(receiverIn(await tempDir(), { tls: missing })).rejects.toMatchObject({
    code: "RECEIVER_TLS_UNUSABLE",
    message: expect.stringContaining("cert.pem"),
  });
});
