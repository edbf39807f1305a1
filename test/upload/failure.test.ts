import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer } from "node:net";
import { expect, test } from "vitest";
import { classifyFailure } from "../../src/upload/failure.ts";
import { ProxyError } from "../../src/upload/proxy.ts";
import { Lab } from "../support/lab.ts";

const ADDRESS = "api.test:443";

const failed = (code: string, message = code): Error => Object.assign(new Error(message), { code });

/** As undici throws what a socket has thrown. */
const wrapped = (cause: Error): Error => new TypeError("fetch failed", { cause });

test.for([
  ["ECONNREFUSED", "nothing accepts connections at", "check apiUrl"],
  ["ENOTFOUND", "no network address is known for", "check the name in apiUrl"],
  ["EAI_AGAIN", "the DNS does not answer for", "online"],
  ["ETIMEDOUT", "does not answer", "HTTPS_PROXY"],
  ["UND_ERR_CONNECT_TIMEOUT", "does not answer", "HTTPS_PROXY"],
  ["ECONNRESET", "was cut", "firewalls and proxies"],
  ["EPIPE", "was cut", "firewalls and proxies"],
  ["EHOSTUNREACH", "there is no way to", "VPN"],
  ["ENETUNREACH", "there is no way to", "VPN"],
  ["EPROTO", "TLS with", "check apiUrl and its port"],
  ["ERR_SSL_WRONG_VERSION_NUMBER", "does not speak TLS", "http://"],
] as const)("%s names host and port, and what to do", ([code, what, next]) => {
  for (const error of [failed(code), wrapped(failed(code)), failed(code, "")]) {
    const { kind, reason } = classifyFailure(error, ADDRESS);
    expect(kind).toBe("retry");
    for (const part of [what, next, ADDRESS, `(${code})`]) expect(reason).toContain(part);
  }
});

test("EPROTO tells from its message what does not speak TLS", () => {
  const message = "write EPROTO 80:error:0A00010B:SSL routines:tls_validate:wrong version number";
  expect(classifyFailure(failed("EPROTO", message), ADDRESS)).toMatchObject({
    reason: expect.stringContaining(`what answers at ${ADDRESS} does not speak TLS`),
  });
});

test.for([
  ["SELF_SIGNED_CERT_IN_CHAIN", "a root that this machine does not know"],
  ["UNABLE_TO_GET_ISSUER_CERT_LOCALLY", "name its file in tls.ca"],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", "without what signed it"],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", "signed by nobody but itself"],
  ["CERT_HAS_EXPIRED", "it has expired: check the clock"],
  ["CERT_NOT_YET_VALID", "check the clock of this machine"],
  ["CERT_REVOKED", "check apiUrl, the clock"],
] as const)("the certificate's failure %s names host and port, and what to do", ([code, next]) => {
  const { kind, reason } = classifyFailure(wrapped(failed(code)), ADDRESS);
  expect(kind).toBe("unreachable");
  expect(reason).toContain(`TLS certificate not trusted (${code}) at ${ADDRESS}; `);
  expect(reason).toContain(next);
});

test("a certificate for other names says for which it should be", () => {
  expect(classifyFailure(failed("ERR_TLS_CERT_ALTNAME_INVALID"), ADDRESS)).toMatchObject({
    kind: "unreachable",
    reason: expect.stringContaining(
      `is for other names (ERR_TLS_CERT_ALTNAME_INVALID) than ${ADDRESS}; check apiUrl`,
    ),
  });
});

test.for([
  ["ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED", "set tls.cert and tls.key"],
  ["ERR_SSL_TLSV1_ALERT_UNKNOWN_CA", "see that tls.cert is one that it accepts"],
  ["ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED", "is still valid"],
] as const)("%s is about the certificate that is shown, and not tried again", ([code, next]) => {
  const { kind, reason } = classifyFailure(wrapped(failed(code)), ADDRESS);
  expect(kind).toBe("unreachable");
  expect(reason).toContain(
    `${ADDRESS} wants a certificate of this machine that it trusts (${code})`,
  );
  expect(reason).toContain(next);
});

const PROXY = { url: new URL("http://proxy.test:3128"), source: "HTTPS_PROXY" };

test("a proxy is named with its host and port, down or wanting credentials", () => {
  const down = new ProxyError(PROXY, { cause: failed("ENOTFOUND") });
  expect(classifyFailure(down, ADDRESS)).toEqual({
    kind: "retry",
    reason:
      "the proxy set by HTTPS_PROXY cannot be reached: ENOTFOUND at proxy.test:3128; check its host and port, and whether it is running",
  });
  const closed = new ProxyError(PROXY, { status: 407 });
  expect(classifyFailure(closed, ADDRESS)).toMatchObject({
    kind: "unreachable",
    reason: expect.stringContaining("set it as http://user:password@proxy.test:3128"),
  });
});

test("an API that is not running is named with its port, after a whole run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = createTcpServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  const { reason } = await lab.run({ apiUrl: `http://127.0.0.1:${port}` });
  expect(reason).toContain(`nothing accepts connections at 127.0.0.1:${port} (ECONNREFUSED)`);
});

test("plain http behind an https address is told as what it is, after a whole run", async () => {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const { reason } = await lab.run({ apiUrl: `https://127.0.0.1:${port}` });
  expect(reason).toMatch(
    new RegExp(`^what answers at 127.0.0.1:${port} does not speak TLS \\(\\w+\\); check the port`),
  );
  server.close();
});
