import * as v from "valibot";
import { MAX_ANSWER_BYTES, type Receipt, ReceiptSchema } from "../wire.ts";
import { parseRetryAfter } from "./retry.ts";

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
}

/** What follows from one attempt at a part. */
export type Outcome =
  /** The ledger moves. */
  | { readonly kind: "delivered"; readonly receipt: Receipt }
  /** Nothing is known to have arrived: try again with the same key. */
  | { readonly kind: "retry"; readonly reason: string; readonly waitMs?: number | undefined }
  /** The credentials are not good: the run stops until they change. */
  | { readonly kind: "refused"; readonly status: number; readonly reason: string }
  /** Nothing can arrive at this address for now: the run stops. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** The part is too large for the API: halve it. */
  | { readonly kind: "too-large"; readonly reason: string }
  /** This session will not be taken as it is: put it aside. */
  | { readonly kind: "aside"; readonly status: number; readonly reason: string };

const RETRIED = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Error codes of Node's and OpenSSL's certificate checks (node:tls, "X509 certificate error codes"). */
const CERTIFICATE =
  /^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_|ERR_TLS_CERT_)/;

/**
 * The answer table (docs/wire.md) as one function.
 *
 * @param sent lines in the request's body
 * @param now ms since the epoch
 */
export function classifyAnswer(answer: Answer, sent: number, now: number): Outcome {
  const { status } = answer;
  if (status >= 200 && status < 300) return classifySuccess(answer, sent);
  if (status >= 300 && status < 400) {
    const to = answer.location === undefined ? "" : ` to ${originOf(answer.location)}`;
    return {
      kind: "unreachable",
      reason: `answered ${status}, a redirect${to}; redirects are not followed: set apiUrl to the API's own address, or sign in to the network you are on`,
    };
  }
  if (status === 401 || status === 403) {
    const reason = `answered ${status}: the API key is not accepted for this project; check apiKey and projectId`;
    return { kind: "refused", status, reason };
  }
  if (status === 413) return { kind: "too-large", reason: "answered 413: the part is too large" };
  if (RETRIED.has(status)) {
    const waitMs = parseRetryAfter(answer.retryAfter, now);
    const asked = waitMs === undefined ? "" : `, asking to wait ${Math.ceil(waitMs / 1000)} s`;
    return { kind: "retry", reason: `answered ${status}${asked}`, waitMs };
  }
  const why =
    status === 409
      ? "the API has other lines of this session than were sent from here, also after all of it was sent again; if another machine uses the same deploymentId, give each its own"
      : "the API does not take this session";
  return { kind: "aside", status, reason: `answered ${status}: ${why}` };
}

/**
 * What follows from an attempt that ended without a whole answer.
 *
 * @param error what the transport threw
 */
export function classifyFailure(error: unknown): Outcome {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
    if (CERTIFICATE.test(code)) {
      return {
        kind: "unreachable",
        reason: `TLS certificate not trusted (${code}); check apiUrl, the clock of this machine, or add your company's root with NODE_EXTRA_CA_CERTS`,
      };
    }
  }
  return { kind: "retry", reason: describeFailure(error) };
}

function classifySuccess(answer: Answer, sent: number): Outcome {
  if (answer.endless) {
    const reason = `answered ${answer.status} with more than ${MAX_ANSWER_BYTES} bytes, which is no receipt`;
    return { kind: "retry", reason };
  }
  const receipt = parseReceipt(answer.body);
  if (receipt === null) {
    const type = answer.contentType?.split(";")[0] ?? "no content type";
    return {
      kind: "retry",
      reason: `answered ${answer.status} without a receipt (${printable(type)}); is a captive portal or proxy answering for the API?`,
    };
  }
  const counted = receipt.accepted + receipt.rejected;
  if (counted !== sent) {
    return { kind: "retry", reason: `the receipt counts ${counted} lines, but ${sent} were sent` };
  }
  return { kind: "delivered", receipt };
}

/** The receipt in an answer's body, or null when it is something else. */
export function parseReceipt(body: string): Receipt | null {
  try {
    const parsed = v.safeParse(ReceiptSchema, JSON.parse(body));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}

/** The innermost message with its code; transport errors hold addresses, but neither headers nor content. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? error.cause : error;
  const code = "code" in inner && typeof inner.code === "string" ? `${inner.code}: ` : "";
  return `${code}${printable(inner.message)}`;
}

function originOf(location: string): string {
  return URL.parse(location)?.origin ?? "another path";
}

/** Short and without control characters: some of it was chosen by the other side. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 200);
}
