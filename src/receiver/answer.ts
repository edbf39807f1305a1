import type { IncomingMessage, ServerResponse } from "node:http";
import { finished } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";

/** How long a client that was refused may go on sending before it is cut off. */
const LINGER_MS = 2000;

/**
 * Answers with JSON, also while the body is still arriving. Closing a socket with
 * unread data makes the kernel send a reset, which can destroy the answer before the
 * client has read it (RFC 9112, 9.6): so the answer goes out whole, the rest of the
 * body is read and thrown away for a while, and only then the request ends.
 */
export async function answer(
  req: IncomingMessage,
  res: ServerResponse,
  status: number,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const text = `${JSON.stringify(body)}\n`;
  const early = !req.complete;
  res.on("error", () => res.destroy());
  res.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(text),
    ...(early ? { connection: "close" } : {}),
    ...headers,
  });
  if (early) {
    res.write(text);
    await drain(req);
    res.end();
  } else {
    res.end(text);
  }
  if (!req.socket.destroyed) await finished(res).catch(() => undefined);
}

async function drain(req: IncomingMessage): Promise<void> {
  const ended = new AbortController();
  const end = finished(req, { writable: false }).catch(() => undefined);
  req.resume();
  await Promise.race([
    end,
    sleep(LINGER_MS, undefined, { signal: ended.signal }).catch(() => undefined),
  ]);
  ended.abort();
}
