import { once } from "node:events";
import { readFileSync } from "node:fs";
import { request } from "node:http";
import { pipeline } from "node:stream/promises";
import { createGzip } from "node:zlib";
import { expect, onTestFinished, test } from "vitest";
import { INGEST_PATH } from "../../../src/protocol/wire.ts";
import { API_KEY, ReceiverProcess } from "../../fleet/receivers.ts";
import { query } from "../../support/postgres.ts";
import { postgres } from "../backends.ts";
import { send } from "../support.ts";
import { body, headersFor } from "../wire.ts";

const authorization = `Bearer ${API_KEY}`;

/** Most memory that a process has had, in bytes: https://man7.org/linux/man-pages/man5/proc_pid_status.5.html */
function peakOf(pid: number): number {
  const [, kib] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
  return Number(kib) * 1024;
}

test.runIf(process.platform === "linux")(
  "memory stays far below the size of a body, while its lines are on their way into the database",
  { timeout: 60_000 },
  async () => {
    const store = await (await postgres()).emptyDatabase();
    const receiver = await ReceiverProcess.start(store);
    onTestFinished(() => receiver.stop());
    await send(receiver.url, "warm", body(0, 10, { sessionId: "warm" }), { authorization });
    const before = peakOf(receiver.pid);
    const payload = `{"text":"${"x".repeat(240)}"}`;
    const lines = 300_000;
    async function* generate() {
      for (let from = 0; from < lines; from += 100) yield body(from, from + 100, { payload });
    }
    const headers = { ...headersFor("big"), authorization };
    const req = request(receiver.url + INGEST_PATH, { method: "POST", headers });
    const answered = once(req, "response");
    await pipeline(generate, createGzip({ level: 1 }), req);
    const [response] = await answered;
    expect(response.statusCode).toBe(200);
    response.resume();
    expect(
      await query(store, "SELECT count(*)::int AS lines FROM influxion.line WHERE generation = 0"),
    ).toEqual([{ lines: lines + 10 }]);
    expect(peakOf(receiver.pid) - before).toBeLessThan(100e6);
  },
);
