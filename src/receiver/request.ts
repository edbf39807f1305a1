import type { IncomingHttpHeaders, IncomingMessage } from "node:http";
import { FIRST_LINE_HEADER, GENERATION_HEADER, INGEST_PATH } from "../protocol/wire.ts";
import type { Access, Grant } from "./access.ts";
import type { PartName } from "./backend.ts";
import { Refusal } from "./refusal.ts";

/** What the headers of a request for one part said. */
export interface PartHeaders extends PartName {
  /** `identity` when the header is absent. */
  readonly coding: string;
  /** The `lineIndex` that the body shall begin with; undefined when the client does not say. */
  readonly firstLine: number | undefined;
}

/** Sends a part, or deletes what parts brought. */
export type Method = "POST" | "DELETE";

/**
 * Lets a request for another path or method end here.
 * @throws {Refusal} 404, 405
 */
export function methodOf({ url, method }: IncomingMessage): Method {
  if (pathOf(url) !== INGEST_PATH) {
    throw new Refusal(404, "NOT_FOUND", `sessions go to ${INGEST_PATH}`);
  }
  if (method === "POST" || method === "DELETE") return method;
  const message = "sessions are sent with POST, and deleted with DELETE";
  throw new Refusal(405, "METHOD_NOT_ALLOWED", message, { headers: { allow: "POST, DELETE" } });
}

export function pathOf(url: string | undefined): string {
  return url?.split("?", 1)[0] ?? "";
}

/**
 * What the key of a request allows.
 * @throws {Refusal} 401
 */
export async function authorize(headers: IncomingHttpHeaders, access: Access): Promise<Grant> {
  const bearer = /^Bearer +(\S+) *$/i.exec(headers.authorization ?? "")?.[1];
  const grant = bearer === undefined ? undefined : await access.grant(bearer);
  if (grant !== undefined) return grant;
  throw new Refusal(401, "UNAUTHORIZED", "the API key is missing or wrong", {
    headers: { "www-authenticate": "Bearer" },
  });
}

/** A key is 64 hexadecimal digits; an index of PostgreSQL has room for this many characters and more. */
const MAX_KEY_LENGTH = 512;

/**
 * Reads what the headers say of the part.
 * @throws {Refusal} 400, 415
 */
export function readHeaders(headers: IncomingHttpHeaders): PartHeaders {
  const type = headers["content-type"]?.split(";", 1)[0]?.trim().toLowerCase();
  if (type !== "application/x-ndjson") {
    throw new Refusal(415, "CONTENT_TYPE", "Content-Type must be application/x-ndjson");
  }
  return {
    idempotencyKey: idempotencyKeyIn(headers),
    coding: headers["content-encoding"] ?? "identity",
    generation: integerIn(headers, GENERATION_HEADER),
    firstLine: integerIn(headers, FIRST_LINE_HEADER),
  };
}

function idempotencyKeyIn(headers: IncomingHttpHeaders): string {
  const key = headers["idempotency-key"];
  if (typeof key !== "string" || key === "") {
    throw new Refusal(400, "NO_IDEMPOTENCY_KEY", "the Idempotency-Key header is missing");
  }
  if (key.length <= MAX_KEY_LENGTH) return key;
  const message = `the Idempotency-Key header must be at most ${MAX_KEY_LENGTH} characters long`;
  throw new Refusal(400, "MALFORMED_HEADER", message);
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
  const number = integerOf(String(value));
  if (number !== undefined) return number;
  const form = `a decimal integer from 0 to ${Number.MAX_SAFE_INTEGER}`;
  throw new Refusal(400, "MALFORMED_HEADER", `the ${name} header must be ${form}`);
}

/** A decimal integer from 0 to 2^53 - 1; undefined for any other text. */
export function integerOf(text: string): number | undefined {
  const number = /^(0|[1-9]\d*)$/.test(text) ? Number(text) : Number.NaN;
  return Number.isSafeInteger(number) ? number : undefined;
}
