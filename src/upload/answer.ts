import * as zlib from "node:zlib";
import type { Dispatcher } from "undici";
import { MAX_ANSWER_BYTES } from "../protocol/wire.ts";
import { errnoOf } from "../shared/problem.ts";

/** A fully received answer. */
export interface Answer {
  readonly status: number;
  readonly retryAfter?: string | undefined;
  readonly contentType?: string | undefined;
  readonly location?: string | undefined;
  /** `Date`, as it came. */
  readonly date?: string | undefined;
  /** It came out of a cache, and so did its `Date`. */
  readonly isCached?: boolean;
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
  const content = decode(Buffer.concat(chunks), all(headers["content-encoding"]));
  return {
    status: statusCode,
    retryAfter: single(headers["retry-after"]),
    contentType: single(headers["content-type"]),
    location: single(headers.location),
    date: single(headers.date),
    isCached: headers.age !== undefined,
    acceptEncoding: all(headers["accept-encoding"]),
    // A byte order mark is dropped.
    body: new TextDecoder().decode(content?.subarray(0, MAX_ANSWER_BYTES)),
    endless: content === null || bytes > MAX_ANSWER_BYTES,
  };
}

/** No coding is asked for; a proxy or a server that compresses everything is understood all the same. */
const DECODERS = new Map<string, (bytes: Buffer, options: zlib.ZlibOptions) => Buffer>([
  ["gzip", zlib.gunzipSync],
  ["x-gzip", zlib.gunzipSync],
  ["deflate", inflateAnySync],
  ["br", zlib.brotliDecompressSync],
  ["zstd", unzstdSync],
]);

/** Of a window above 8 MiB there is none (RFC 9659): it would be memory that an answer can ask for. */
function unzstdSync(bytes: Buffer, { maxOutputLength }: zlib.ZlibOptions): Buffer {
  const params = { [zlib.constants.ZSTD_d_windowLogMax]: 23 };
  return zlib.zstdDecompressSync(bytes, { maxOutputLength, params });
}

/** With the frame of zlib (RFC 9110, 8.4.1.2), or without: some servers leave it out. */
function inflateAnySync(bytes: Buffer, options: zlib.ZlibOptions): Buffer {
  const isZlib = ((bytes[0] ?? 0) & 0x0f) === 8;
  return isZlib ? zlib.inflateSync(bytes, options) : zlib.inflateRawSync(bytes, options);
}

/**
 * What was encoded, or null when it is longer than is read of an answer. What cannot be
 * decoded is left as it is: it is no receipt.
 */
function decode(encoded: Buffer, codings = ""): Buffer | null {
  let bytes = encoded;
  try {
    for (const coding of codings.toLowerCase().split(",").reverse()) {
      const decoder = DECODERS.get(coding.trim());
      if (decoder !== undefined) bytes = decoder(bytes, { maxOutputLength: MAX_ANSWER_BYTES });
    }
    return bytes;
  } catch (error) {
    return errnoOf(error) === "ERR_BUFFER_TOO_LARGE" ? null : encoded;
  }
}

function single(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value[0] : value;
}

function all(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join() : value;
}
