import { errnoOf } from "../problem.ts";
import { MAX_ANSWER_BYTES, type Receipt } from "../wire.ts";
import type { Answer } from "./answer.ts";
import { ProxyError } from "./proxy.ts";
import { parseReceipt } from "./receipt.ts";
import { parseRetryAfter } from "./retry.ts";

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
      ? "the API seems not to have what was sent to it of this session before; to send everything again, set another deploymentId, or delete the ledger (see the README)"
      : "the API does not take this session";
  return { kind: "aside", status, reason: `answered ${status}: ${why}` };
}

/**
 * What follows from an attempt that ended without a whole answer.
 *
 * @param error what the transport threw
 */
export function classifyFailure(error: unknown): Outcome {
  if (error instanceof ProxyError) return classifyProxyFailure(error);
  const certificate = certificateCodeOf(error);
  if (certificate !== null) {
    return {
      kind: "unreachable",
      reason: `TLS certificate not trusted (${certificate}); check apiUrl, the clock of this machine, or add your company's root with NODE_EXTRA_CA_CERTS`,
    };
  }
  const failure = describeFailure(error);
  if (isArgumentError(error)) {
    return {
      kind: "unreachable",
      reason: `no request could be made, please report it: ${failure}`,
    };
  }
  return { kind: "retry", reason: failure };
}

/** The transport was called in a way that it does not take: it would not take it again either. */
function isArgumentError(error: unknown): boolean {
  const code = errnoOf(error);
  const isNodes = error instanceof TypeError || error instanceof RangeError;
  return code === "UND_ERR_INVALID_ARG" || (isNodes && code.startsWith("ERR_"));
}

function classifyProxyFailure({ source, status, cause }: ProxyError): Outcome {
  const proxy = `the proxy set by ${source}`;
  if (status === undefined) {
    const certificate = certificateCodeOf(cause);
    if (certificate === null) {
      return { kind: "retry", reason: `${proxy} cannot be reached: ${describeFailure(cause)}` };
    }
    const reason = `the TLS certificate of ${proxy} is not trusted (${certificate}); add its root with NODE_EXTRA_CA_CERTS`;
    return { kind: "unreachable", reason };
  }
  if (status === 407) {
    const reason = `${proxy} answered 407: it does not accept the user and password, or has none; write http://user:password@host:port`;
    return { kind: "unreachable", reason };
  }
  const reason = `${proxy} answered ${status} when asked for a connection to the API`;
  if (RETRIED.has(status)) return { kind: "retry", reason };
  return { kind: "unreachable", reason: `${reason}; it must allow connections to that host` };
}

/** The code of a certificate's failure among the causes of `error`. */
function certificateCodeOf(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (CERTIFICATE.test(errnoOf(cause))) return errnoOf(cause);
  }
  return null;
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

/** The innermost message with its code; transport errors hold addresses, but neither headers nor content. */
function describeFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const inner = error.cause instanceof Error ? error.cause : error;
  return [errnoOf(inner), printable(inner.message)].filter((text) => text !== "").join(": ");
}

function originOf(location: string): string {
  return URL.parse(location)?.origin ?? "another path";
}

/** Short and without control characters: some of it was chosen by the other side. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 200);
}
