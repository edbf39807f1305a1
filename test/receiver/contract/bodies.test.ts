import { once } from "node:events";
import { request } from "node:http";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { INGEST_PATH } from "../../../src/protocol/wire.ts";
import { BACKENDS } from "../backends.ts";
import { send } from "../support.ts";
import { body, headersFor, line } from "../wire.ts";

const ENCODERS = { gzip: gzipSync, zstd: zstdCompressSync };

describe.for(BACKENDS)("in $name", { timeout: 30_000 }, ({ start }) => {
  test("payloads are kept byte for byte", async () => {
    const receiver = await start();
    const payloads = [
      '{ "b" : 1.0e2 ,\t"a":"\\u00e9é\\/😀" }',
      '{"payload":{"payload":{}},"text":"\\"payload\\":{}}"}',
      '{"a":1,"a":2}',
      '{"nul":"\\u0000","half":"\\ud800","backslash":"\\\\N\\\\."}',
      '{"big":12345678901234567890}\r',
      `{"long":"${"x".repeat(200_000)}"}`,
    ];
    const text = payloads.map((payload, lineIndex) => line({ lineIndex, payload })).join("\n");
    const { json } = await send(receiver.url, "k1", text);
    expect(json).toMatchObject({ accepted: payloads.length, rejected: 0 });
    expect(await receiver.held()).toMatchObject([{ text: `${payloads.join("\n")}\n` }]);
  });

  test.for(["gzip", "zstd"] as const)(
    "a %s body that is not intact is refused and stores nothing",
    async (coding) => {
      const receiver = await start();
      const payload = `{"text":"${"x".repeat(3000)}"}`;
      // The large one is on its way into the store before its end is seen.
      for (const lines of [100, 2000]) {
        const whole = ENCODERS[coding](body(0, lines, { payload }));
        const bodies = [
          ...[5, whole.length >> 1, whole.length - 1].map((length) => whole.subarray(0, length)),
          Buffer.concat([whole, Buffer.from("more")]),
        ];
        for (const bytes of bodies) {
          const answer = await send(receiver.url, "k1", bytes, { "content-encoding": coding });
          expect([answer.status, answer.json.error.code]).toEqual([400, "BODY_NOT_INTACT"]);
        }
      }
      expect(await receiver.held()).toEqual([]);
      expect((await send(receiver.url, "k1", body(0, 2))).status).toBe(200);
    },
  );

  test("a part of several megabytes is stored whole, and its repetition recognised", async () => {
    const receiver = await start();
    const payload = `{"text":"${"x".repeat(3000)}"}`;
    const text = body(0, 2000, { payload });
    const first = await send(receiver.url, "k1", text);
    expect(first.json).toMatchObject({ accepted: 2000, rejected: 0 });
    expect(await send(receiver.url, "k1", text)).toMatchObject({ status: 200, json: first.json });
    const other = await send(receiver.url, "k1", body(0, 2001, { payload }));
    expect([other.status, other.json.error.code]).toEqual([422, "KEY_REUSED"]);
    const gap = await send(receiver.url, "k2", body(2001, 4000, { payload }));
    expect([gap.status, gap.json.error.code]).toEqual([409, "OUT_OF_ORDER"]);
    expect(await receiver.held()).toMatchObject([{ text: `${payload}\n`.repeat(2000) }]);
  });

  test("a body that is more than a part may be is refused and leaves nothing", async () => {
    const receiver = await start({ limits: { payloadBytes: 3_000_000, lines: 20_000 } });
    const payload = `{"text":"${"x".repeat(2000)}"}`;
    const bombs: [code: string, text: string][] = [
      ["PART_TOO_LARGE", body(0, 2000, { payload })],
      ["TOO_MANY_LINES", "\n".repeat(1_000_000)],
    ];
    for (const [code, text] of bombs) {
      const answer = await send(receiver.url, "k1", text);
      expect([answer.status, answer.json.error?.code]).toEqual([413, code]);
    }
    expect(await receiver.held()).toEqual([]);
    expect((await send(receiver.url, "k1", body(0, 1))).status).toBe(200);
  });

  test("a client that goes away within a body leaves nothing behind, and its next attempt is taken", async () => {
    const receiver = await start();
    const text = body(0, 2000, { payload: `{"text":"${"x".repeat(3000)}"}` });
    const headers = { ...headersFor("k1"), "content-encoding": "identity" };
    const req = request(receiver.url + INGEST_PATH, { method: "POST", headers });
    req.on("error", () => undefined);
    req.write(text.slice(0, 4_000_000));
    await once(req, "drain");
    req.destroy();
    expect((await send(receiver.url, "k1", text)).json).toMatchObject({ accepted: 2000 });
    expect(await receiver.counts()).toEqual({ parts: 1, repeats: 0 });
  });

  test("a line of 8 MiB is taken", async () => {
    const receiver = await start();
    const payload = `{"text":"${"x".repeat(8 * 1024 * 1024)}"}`;
    expect((await send(receiver.url, "k1", line({ payload }))).json.accepted).toBe(1);
    expect(await receiver.held()).toMatchObject([{ text: `${payload}\n` }]);
  });

  test("sessions with hostile ids are stored apart", async () => {
    const receiver = await start();
    const ids = ["..", "a\u0000b", "a\\u0000b", "\ud800", "\ud801", "é".repeat(5000), "S", "s"];
    for (const [n, id] of ids.entries()) {
      const text = body(0, 1, { agentId: id, sessionId: id, payload: `{"id":${n}}` });
      expect((await send(receiver.url, `k${n}`, text)).json).toMatchObject({ accepted: 1 });
    }
    const texts = (await receiver.held()).map(({ text }) => text);
    expect(texts.sort()).toEqual(ids.map((_, n) => `{"id":${n}}\n`));
  });

  test("a part whose lines name two deployments or projects is refused", async () => {
    const receiver = await start();
    for (const field of ["deploymentId", "projectId"]) {
      const other = line({ lineIndex: 1 }).replace(`"${field}":"`, `"${field}":"other-`);
      const answer = await send(receiver.url, "k1", `${line()}\n${other}\n`);
      expect([answer.status, answer.json.error?.code]).toEqual([400, "MIXED_SESSIONS"]);
    }
    expect(await receiver.held()).toEqual([]);
  });
});
