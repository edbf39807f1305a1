import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { buffer } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { CODINGS, createDecoder } from "../../src/receiver/codings.ts";

/** What has arrived of a body so far. */
export interface RecordedBody {
  /** Bytes of the body as sent that were read. */
  wireBytes: number;
  /** The whole body was read. */
  complete: boolean;
  /** When the last byte of the body was read, in milliseconds since the epoch. */
  completedAt?: number;
  /** Lines of the decoded body, once it is complete and could be decoded. */
  lines?: readonly string[];
  /** Digest of the body as sent, once it is complete: equal bytes on every attempt? */
  sha256?: string;
  /** Digest of the decoded body, once {@link lines} are known: equal whatever the coding? */
  decodedSha256?: string;
}

/** A request whose body is read into its record. */
interface Arriving {
  readonly req: IncomingMessage;
  readonly request: RecordedBody & { readonly contentEncoding: string };
}

export async function readBody({ req, request }: Arriving): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of req as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    request.wireBytes += chunk.length;
  }
  await complete(request, Buffer.concat(chunks));
}

/** Reads about `bytes` and then no more, leaving the connection open. */
export async function readUntil({ req, request }: Arriving, bytes: number): Promise<void> {
  if (bytes <= 0) return;
  await new Promise<void>((done) => {
    const onData = (chunk: Buffer) => {
      request.wireBytes += chunk.length;
      if (request.wireBytes < bytes) return;
      req.off("data", onData);
      req.pause();
      done();
    };
    req.on("data", onData);
    req.once("close", done);
  });
}

export async function readSlowly(
  { req, request }: Arriving,
  bytes: number,
  everyMs: number,
): Promise<void> {
  const chunks: Buffer[] = [];
  while (!req.readableEnded) {
    await sleep(everyMs);
    if (req.destroyed && !req.complete) throw new Error("the client went away");
    const chunk: Buffer | null = req.read(Math.min(bytes, Math.max(1, req.readableLength)));
    if (chunk === null) continue;
    chunks.push(chunk);
    request.wireBytes += chunk.length;
  }
  await complete(request, Buffer.concat(chunks));
}

async function complete(request: Arriving["request"], body: Buffer): Promise<void> {
  request.complete = true;
  request.completedAt = Date.now();
  request.sha256 = sha256(body);
  const decoded = await decode(body, request.contentEncoding).catch(() => undefined);
  if (decoded === undefined) return;
  request.decodedSha256 = sha256(decoded);
  request.lines = decoded
    .toString()
    .split("\n")
    .filter((line) => line !== "");
}

function sha256(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function decode(body: Buffer, coding: string): Promise<Buffer> {
  const decoder = createDecoder(coding, CODINGS);
  decoder.end(body);
  return buffer(decoder);
}
