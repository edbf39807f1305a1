import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { probeGateway } from "../../src/openclaw/gateway-probe.ts";

/** What a probe finds where this server is the Gateway. */
async function probe(server: Server, gateway: object = {}, env: NodeJS.ProcessEnv = {}) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => void server.close());
  const { port } = server.address() as AddressInfo;
  const config = { gateway: { port, ...gateway } };
  return { port, answer: await probeGateway(config as never, new AbortController().signal, env) };
}

const answering = (status: number): Server =>
  createServer((req, res) => res.writeHead(req.url === "/readyz" ? status : 500).end("{}"));

test("a Gateway that is ready, and one that is not yet, are told apart", async () => {
  const ready = await probe(answering(200));
  expect(ready.answer).toEqual({ kind: "ready", at: `127.0.0.1:${ready.port}` });
  expect((await probe(answering(503))).answer).toMatchObject({ kind: "not-ready" });
});

test("the port of the environment wins over that of the config", async () => {
  const { port } = await probe(answering(200));
  const env = { OPENCLAW_GATEWAY_PORT: String(port) };
  const { answer } = await probe(answering(503), {}, env);
  expect(answer).toEqual({ kind: "ready", at: `127.0.0.1:${port}` });
});

test("where nothing listens, none is running; bound elsewhere or on another machine, it is unknown", async () => {
  const nowhere = { port: 9 };
  const server = (): Server => answering(200);
  expect((await probe(server(), nowhere)).answer).toEqual({ kind: "none", at: "127.0.0.1:9" });
  for (const gateway of [{ ...nowhere, bind: "tailnet" }, { mode: "remote" }]) {
    expect((await probe(server(), gateway)).answer).toMatchObject({ kind: "unknown" });
  }
});

test("one that speaks TLS is running when it listens", async () => {
  const { answer } = await probe(answering(500), { tls: { enabled: true } });
  expect(answer).toMatchObject({ kind: "ready" });
});

test("a probe ends with its signal", async () => {
  const signal = AbortSignal.abort(new Error("interrupted"));
  await expect(probeGateway({} as never, signal, {})).rejects.toThrow("interrupted");
});
