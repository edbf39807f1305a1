import { setTimeout as sleep } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { expect, test } from "vitest";
import { noLines } from "../../src/lines/entry.ts";
import { createClient } from "../../src/upload/client.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { API_KEY } from "../support/lab.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

function bodyOf(text: string) {
  return {
    coding: "gzip" as const,
    chunks: (async function* () {
      yield Buffer.from(text);
    })(),
    length: () => Promise.resolve(undefined),
    counts: noLines(),
    redactions: new Map(),
    sourceError: undefined,
    lastEntry: () => undefined,
    [Symbol.asyncDispose]: async () => undefined,
  };
}

test("nothing keeps the body of a part in memory that has been answered", async () => {
  const api = await startFaultServer({ default: { kind: "status", status: 500 } });
  const client = await createClient({
    apiUrl: api.url,
    apiKey: API_KEY,
    timeoutMs: 5000,
    version: "0.0.0",
  });
  const { signal } = new AbortController();
  const send = async (n: number): Promise<WeakRef<object>> => {
    const body = bodyOf("part");
    const transform = { content: "full", redaction: "none" } as const;
    const idempotencyKey = n.toString(16).padStart(64, "0");
    await client.send({ body, signal, idempotencyKey, generation: 0, firstLine: 0, transform });
    return new WeakRef(body);
  };
  const bodies: WeakRef<object>[] = [];
  for (let n = 0; n < 8; n++) bodies.push(await send(n));
  // A WeakRef keeps its target until the end of the job that made it.
  await sleep(50);
  collectGarbage();
  const kept = bodies.filter((body) => body.deref() !== undefined);
  // The client itself may hold the last one.
  expect(kept.length).toBeLessThanOrEqual(1);
  await client.close();
  await api.close();
});
