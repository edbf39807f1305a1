import { createHash, timingSafeEqual } from "node:crypto";
import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { FIRST_LINE_HEADER, GENERATION_HEADER, INGEST_PATH } from "../protocol/wire.ts";
import type { PartName } from "./backend.ts";
import { Refusal } from "./refusal.ts";

/** What the headers of a request for one part said. */
export interface PartHeaders extends PartName {
  /** `identity` when the header is absent. */
  readonly coding: string;
  /** The `lineIndex` that the body shall begin with; undefined when the client does not say. */
  readonly firstLine: number | undefined;
}

/**
 * Decides by the headers alone whether a request may go on.
 * @throws {Refusal} 400, 401, 404, 405, 415
 */
export function checkHeaders(
  { url, method, headers }: IncomingMessage,
  isKey: (candidate: string) => boolean,
): PartHeaders {
  if (url?.split("?", 1)[0] !== INGEST_PATH) {
    throw new Refusal(404, "NOT_FOUND", `sessions go to ${INGEST_PATH}`);
  }
  if (method !== "POST") {
    throw new Refusal(405, "METHOD_NOT_ALLOWED", "sessions are sent with POST", {
      headers: { allow: "POST" },
    });
  }
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  if (bearer === undefined || !isKey(bearer)) {
    throw new Refusal(401, "UNAUTHORIZED", "the API key is missing or wrong", {
      headers: { "www-authenticate": "Bearer" },
    });
  }
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-ndjson") {
    throw new Refusal(415, "CONTENT_TYPE", "Content-Type must be application/x-ndjson");
  }
  const idempotencyKey = headers["idempotency-key"];
  if (typeof idempotencyKey !== "string" || idempotencyKey === "") {
    throw new Refusal(400, "NO_IDEMPOTENCY_KEY", "the Idempotency-Key header is missing");
  }
  return {
    idempotencyKey,
    coding: headers["content-encoding"] ?? "identity",
    generation: integerIn(headers, GENERATION_HEADER),
    firstLine: integerIn(headers, FIRST_LINE_HEADER),
  };
}

/**
 * Checks what the headers said against the body.
 * @throws {Refusal} 400 `FIRST_LINE_MISMATCH`
 */
export function checkFirstLine(said: number | undefined, found: number): void {
  if (said === undefined || said === found) return;
  const message = `${FIRST_LINE_HEADER} is ${said}, but the body begins with lineIndex ${found}`;
  throw new Refusal(400, "FIRST_LINE_MISMATCH", message);
}

function integerIn(headers: IncomingHttpHeaders, name: string): number | undefined {
  const value = headers[name];
  if (value === undefined) return undefined;
  const number = /^(0|[1-9]\d*)$/.test(String(value)) ? Number(value) : Number.NaN;
  if (Number.isSafeInteger(number)) return number;
  const form = `a decimal integer from 0 to ${Number.MAX_SAFE_INTEGER}`;
  throw new Refusal(400, "MALFORMED_HEADER", `the ${name} header must be ${form}`);
}

/** Compares in constant time: digests are of equal length, whatever the candidate's. */
export function keyCheck(key: string): (candidate: string) => boolean {
  const expected = digest(key);
  return (candidate) => timingSafeEqual(digest(candidate), expected);
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}
