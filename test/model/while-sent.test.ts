import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { digestOf } from "../soak/history.ts";
import { Lab } from "../support/lab.ts";
import { header, lines, message, rest } from "../support/transcripts.ts";
import { Ingest } from "./ingest.ts";

test("P31: a session rewritten while its part is being read never arrives as a mixture", async () => {
  await using lab = await Lab.start();
  const contentOf = (version: string): string =>
    lines([
      header("abc"),
      ...Array.from({ length: 300 }, (_, n) =>
        message(n, `${version} ${randomBytes(8_000).toString("hex")}`),
      ),
    ]);
  const path = lab.session("main", "abc");
  writeFileSync(path, contentOf("old"));
  rest(path);
  let complete = 0;
  const server = createServer(async (request, response) => {
    await once(request, "readable");
    // In place, as a host does, with other bytes of the same length.
    writeFileSync(path, contentOf("new"));
    rest(path, 59);
    await sleep(50);
    request.on("end", () => {
      complete++;
      response.writeHead(503).end();
    });
    request.resume();
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const apiUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await lab.run({ apiUrl });
  server.closeAllConnections();
  await new Promise((done) => server.close(done));
  expect(complete).toBe(0);
});

test("P25: a last line that lacks its newline is omitted with the length it has", async () => {
  await using ingest = await Ingest.start();
  await using lab = await Lab.start();
  const path = lab.session("main", "abc", [header("abc")]);
  const line = message(1, "x".repeat(900));
  writeFileSync(path, `${header("abc")}\n${line}`);
  rest(path);
  ingest.treat = () => ({ kind: "limit", bytes: 700 });
  await lab.run({ apiUrl: ingest.url, filter: { minMessages: 0 } });
  const omitted = { omitted: { reason: "line-too-long", bytes: line.length } };
  expect(ingest.sessions.get("main/abc")?.[0]?.[1]).toBe(digestOf(JSON.stringify(omitted)));
});
