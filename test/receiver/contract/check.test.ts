import { describe, expect, test } from "vitest";
import { CHECK_HEADER, INGEST_PATH } from "../../../src/protocol/wire.ts";
import { BACKENDS } from "../backends.ts";
import { send } from "../support.ts";
import { body, KEY } from "../wire.ts";

async function check(url: string, key: string, method = "POST"): Promise<[number, unknown]> {
  const response = await fetch(`${url}${INGEST_PATH}?projectId=p`, {
    method,
    headers: {
      authorization: `Bearer ${key}`,
      "content-type": "application/x-ndjson",
      [CHECK_HEADER]: "1",
    },
  });
  return [response.status, await response.json()];
}

describe.for(BACKENDS)("in $name", { timeout: 30_000 }, ({ start }) => {
  test("P100: a check with the right key is answered, and nothing is stored", async () => {
    const receiver = await start();
    expect(await check(receiver.url, KEY)).toEqual([200, { check: "ok" }]);
    expect(await receiver.held()).toEqual([]);
    expect(await receiver.counts()).toEqual({ parts: 0, repeats: 0 });
  });

  test("P100: a check with a wrong key is refused as an upload would be", async () => {
    const receiver = await start();
    expect(await check(receiver.url, "another")).toMatchObject([
      401,
      { error: { code: "UNAUTHORIZED" } },
    ]);
  });

  test("lines that come with a check are not stored, and the answer is no receipt", async () => {
    const receiver = await start();
    const { status, json } = await send(receiver.url, "k1", body(0, 3), { [CHECK_HEADER]: "1" });
    expect([status, json]).toEqual([200, { check: "ok" }]);
    expect(await receiver.held()).toEqual([]);
  });

  test("a check by another method, or of another path, is none", async () => {
    const receiver = await start();
    expect((await check(receiver.url, KEY, "PUT"))[0]).toBe(405);
    expect((await check(`${receiver.url}/elsewhere`, KEY))[0]).toBe(404);
  });
});
