/**
 * A loopback sink: prints its port, answers a receipt to every POST, which advertises
 * what its input says, ends with its stdin. To know how many lines a part has it unpacks the body, but only the first
 * time, and of our own parts: those sent again under the same key are thrown away unread, so that in the
 * rounds that count it takes nothing from the other processes on the machine.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { createGunzip } from "node:zlib";
import { createDecoder } from "../../src/receiver/codings.ts";
import { programInput } from "../lib/child.ts";
import type { SinkOptions } from "../lib/sink.ts";

const NEWLINE = 0x0a;

const { advertise } = programInput<SinkOptions>();

const linesByKey = new Map<string, number>();
let requests = 0;
let wireBytes = 0;

const server = createServer(async (req, res) => {
  if (req.method !== "POST") {
    res.end(JSON.stringify({ requests, wireBytes }));
    requests = 0;
    wireBytes = 0;
    return;
  }
  requests++;
  const accepted = await take(req).catch(() => null);
  if (accepted === null) return;
  res.setHeader("content-type", "application/json");
  if (advertise !== undefined) res.setHeader("accept-encoding", advertise);
  res.end(JSON.stringify({ accepted, rejected: 0, batchId: "sink" }));
});

async function take(req: IncomingMessage): Promise<number> {
  const key = String(req.headers["idempotency-key"] ?? "");
  const known = linesByKey.get(key);
  req.on("data", (chunk: Buffer) => {
    wireBytes += chunk.length;
  });
  // Other shippers have no key, and need not send gzip.
  if (known !== undefined || key === "") {
    await new Promise((done, failed) => req.on("end", done).on("error", failed));
    return known ?? 0;
  }
  const decoder =
    req.headers["content-encoding"] === "zstd"
      ? createDecoder("zstd", ["zstd"])
      : createGunzip({ chunkSize: 256 * 1024 });
  let lines = 0;
  for await (const chunk of req.pipe(decoder)) {
    const block = chunk as Buffer;
    for (let at = block.indexOf(NEWLINE); at !== -1; at = block.indexOf(NEWLINE, at + 1)) lines++;
  }
  linesByKey.set(key, lines);
  return lines;
}

// What other shippers send need not end well.
server.on("clientError", (_error, socket) => socket.destroy());
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${(server.address() as AddressInfo).port}\n`);
});
process.stdin.resume().on("end", () => process.exit(0));
