import type { Dispatcher } from "undici";
import { MAX_ANSWER_BYTES } from "../wire.ts";

/** A fully received answer. */
export interface Answer {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  readonly contentType?: string | undefined;
  readonly location?: string | undefined;
  readonly acceptEncoding?: string | undefined;
  /** The body, cut at {@link MAX_ANSWER_BYTES}. */
  readonly body: string;
  /** The body was longer than what was read. */
  readonly endless: boolean;
  /** What sets the proxy that may have answered instead of the API; one that only tunnels cannot. */
  readonly proxy?: string | undefined;
}

/** A receipt is small: it must arrive within one idle limit as a whole, and is read up to a bound. */
export async function readAnswer({
  statusCode,
  headers,
  body,
}: Dispatcher.ResponseData): Promise<Answer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    // Leaving the loop destroys the body, and with it a connection that would never end.
    if (bytes > MAX_ANSWER_BYTES) break;
  }
  return {
    status: statusCode,
    retryAfter: single(headers["retry-after"]),
    contentType: single(headers["content-type"]),
    location: single(headers.location),
    acceptEncoding: all(headers["accept-encoding"]),
    body: Buffer.concat(chunks).toString("utf8", 0, MAX_ANSWER_BYTES),
    endless: bytes > MAX_ANSWER_BYTES,
  };
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function all(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join() : value;
}
