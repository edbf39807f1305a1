import { MAX_ANSWER_BYTES, type Receipt } from "../protocol/wire.ts";
import { quoted } from "../shared/text.ts";
import type { Answer } from "./answer.ts";
import { isJson, parseReceipt } from "./receipt.ts";
import { parseRetryAfter } from "./retry-after.ts";

/** What follows from one attempt at a part. */
export type Outcome =
  /** The ledger moves. */
  | { readonly kind: "delivered"; readonly receipt: Receipt }
  /** Nothing is known to have arrived: try again with the same key. `waitMs` is what the API asks for. */
  | {
      readonly kind: "retry";
      readonly reason: string;
      readonly waitMs?: number | undefined;
      /** Of the failure, where there was no answer. */
      readonly code?: string;
    }
  /** The credentials are not good: the run stops until they change. */
  | { readonly kind: "refused"; readonly status: number; readonly reason: string }
  /** Nothing can arrive at this address for now: the run stops. */
  | { readonly kind: "unreachable"; readonly reason: string }
  /** The part is too large for the API: halve it. */
  | { readonly kind: "too-large"; readonly reason: string }
  /** Nothing takes this session at this address: back off from it, unless it is so for every session. */
  | { readonly kind: "not-found"; readonly status: number; readonly reason: string }
  /** This session will not be taken as it is: back off from it. */
  | { readonly kind: "backoff"; readonly status: number; readonly reason: string };

export type Failure = Exclude<Outcome, { kind: "delivered" }>;

/** Answers to how a request came here, not to what is in it: every session would get the same. */
const ABOUT_THE_WAY: Readonly<Record<number, string>> = {
  411: "something on the way, such as a proxy or a firewall, demands the length of a body in advance, which a longer upload does not have; it must let chunked requests to the API pass",
  414: "it finds the address too long; check apiUrl",
  417: "something on the way adds an expectation that the API does not meet; check the proxy",
  421: "who answers is not responsible for this host; check apiUrl, and the proxy if there is one",
  426: "it wants another protocol; check apiUrl",
  431: "it finds the headers too large; check apiKey",
};

/** Answers of an API to a session, and of any other server to whoever has its address from somewhere. */
const NOT_FOUND: ReadonlySet<number> = new Set([404, 405, 410]);

/** What nginx, Apache and Go's servers say to http on a port for https. */
const WANTS_HTTPS =
  /plain HTTP request was sent to HTTPS port|speaking plain HTTP to an SSL-enabled|HTTP request to an HTTPS server/i;

/** What may pass. An unknown status counts as its class, and an invalid one as 5xx (RFC 9110, 15). */
export function isTransient(status: number): boolean {
  const isServerError = status < 100 || status >= 500;
  if (isServerError) return status !== 501 && status !== 505;
  return status === 408 || status === 425 || status === 429;
}

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
  const way = aboutTheWay(answer);
  if (way !== null) return { kind: "unreachable", reason: `answered ${status}: ${way}` };
  if (isRefusal(status)) {
    const reason = `answered ${status}: the API key is not accepted for this project; check apiKey and projectId`;
    return { kind: "refused", status, reason };
  }
  if (status === 413) return { kind: "too-large", reason: "answered 413: the part is too large" };
  if (isTransient(status)) {
    const waitMs = parseRetryAfter(answer.retryAfter, now);
    const asked = waitMs === undefined ? "" : `, asking to wait ${Math.ceil(waitMs / 1000)} s`;
    const signIn = status === 511 ? ": sign in to the network you are on" : "";
    return { kind: "retry", reason: `answered ${status}${asked}${signIn}`, waitMs };
  }
  const why =
    status === 409
      ? "the API has other lines of this session than were sent from here, also after all of it was sent again; if another machine uses the same deploymentId, give each its own"
      : "the API does not take this session";
  const kind = NOT_FOUND.has(status) ? "not-found" : "backoff";
  return { kind, status, reason: `answered ${status}: ${why}` };
}

const isRefusal = (status: number): boolean => status === 401 || status === 403;

/** What is wrong between here and the API according to an answer, or null. */
function aboutTheWay({ status, contentType = "", body, proxy }: Answer): string | null {
  if (status === 407) {
    const who = proxy === undefined ? "a proxy on the way" : `the proxy set by ${proxy}`;
    return `${who} wants a user and password that it accepts; set the proxy as http://user:password@host:port`;
  }
  // What the API itself says is JSON, and may quote what was sent to it.
  if (/json/i.test(contentType)) return ABOUT_THE_WAY[status] ?? null;
  if (status === 400 && WANTS_HTTPS.test(body)) return "https is spoken there; check apiUrl";
  if (isRefusal(status) && proxy !== undefined) {
    return `the proxy set by ${proxy} refuses the upload, or what answers behind it is not the API; let uploads to apiUrl pass there, or check apiUrl and apiKey`;
  }
  if (isRefusal(status) && /html/i.test(contentType)) {
    return "a web page refuses the upload, as a firewall on the way shows, or a network that wants you to sign in; let uploads to apiUrl pass there, or check apiUrl and apiKey";
  }
  return ABOUT_THE_WAY[status] ?? null;
}

function classifySuccess(answer: Answer, sent: number): Outcome {
  if (answer.endless) {
    const reason = `answered ${answer.status} with more than ${MAX_ANSWER_BYTES} bytes, which is no receipt`;
    return { kind: "retry", reason };
  }
  const receipt = parseReceipt(answer.body);
  if (receipt === null) {
    const type = answer.contentType?.split(";")[0] ?? "no content type";
    const why = isJson(answer.body)
      ? ": its JSON does not count the lines as accepted and rejected; check apiUrl"
      : ` (${quoted(type)}); is a captive portal or proxy answering for the API?`;
    return { kind: "retry", reason: `answered ${answer.status} without a receipt${why}` };
  }
  const counted = receipt.accepted + receipt.rejected;
  if (counted !== sent) {
    return { kind: "retry", reason: `the receipt counts ${counted} lines, but ${sent} were sent` };
  }
  return { kind: "delivered", receipt };
}

function originOf(location: string): string {
  return URL.parse(location)?.origin ?? "another path";
}
