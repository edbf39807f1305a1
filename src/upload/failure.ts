import { asInfluxionError, errnoOf } from "../shared/problem.ts";
import { quoted } from "../shared/text.ts";
import { type Failure, isTransient } from "./classify.ts";
import {
  describeCertificateFailure,
  describeNetworkFailure,
  describeOwnCertificate,
  OTHER_NAMES,
} from "./network-words.ts";
import { ProxyError } from "./proxy.ts";

/** Error codes of Node's and OpenSSL's certificate checks (node:tls, "X509 certificate error codes"). */
const CERTIFICATE =
  /^(CERT_|CRL_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_|INVALID_(CA|PURPOSE)|HOSTNAME_MISMATCH|PATH_LENGTH_|ERR_TLS_CERT_)/;

const NOT_HTTP = "what answered does not speak HTTP; check apiUrl, and what is on the way";

/**
 * What follows from an attempt that ended without a whole answer.
 *
 * @param error what the transport threw
 * @param address host and port of the API
 */
export function classifyFailure(error: unknown, address: string): Failure {
  if (error instanceof ProxyError) return classifyProxyFailure(error);
  const certificate = certificateCodeOf(error);
  if (certificate !== null) {
    return { kind: "unreachable", reason: describeCertificateFailure(certificate, address) };
  }
  const code = codeOf(innerOf(error));
  const own = describeOwnCertificate(code, address);
  if (own !== null) return { kind: "unreachable", reason: own };
  const failure = describeNetworkFailure(code, address) ?? describeFailure(error);
  if (isArgumentError(error)) {
    return {
      kind: "unreachable",
      reason: `no request could be made, please report it: ${failure}`,
    };
  }
  return { kind: "retry", reason: failure, code: errnoOf(error) };
}

/** The transport was called in a way that it does not take: it would not take it again either. */
function isArgumentError(error: unknown): boolean {
  const code = errnoOf(error);
  const isNodes = error instanceof TypeError || error instanceof RangeError;
  return code === "UND_ERR_INVALID_ARG" || (isNodes && code.startsWith("ERR_"));
}

function classifyProxyFailure({
  source,
  address,
  rootsSource,
  status,
  cause,
}: ProxyError): Failure {
  const proxy = `the proxy set by ${source}`;
  if (status === undefined) {
    const certificate = certificateCodeOf(cause);
    if (certificate === null) {
      const reason = `${proxy} cannot be reached: ${describeProxyFailure(cause, address)}`;
      return { kind: "retry", reason };
    }
    const reason =
      certificate === OTHER_NAMES
        ? `the TLS certificate of ${proxy} is for other names (${certificate}); set the proxy by a name that is in its certificate`
        : `the TLS certificate of ${proxy} is not trusted (${certificate}); check the clock of this machine, or add its root ${rootsSource === undefined ? "with NODE_EXTRA_CA_CERTS" : `to the file of ${rootsSource}`}`;
    return { kind: "unreachable", reason };
  }
  if (status === 407) {
    const reason = `${proxy} answered 407: it wants a user and password that it accepts; set it as http://user:password@${address}`;
    return { kind: "unreachable", reason };
  }
  const reason = `${proxy} answered ${status} when asked for a connection to the API`;
  if (status >= 100 && status < 200) {
    // Node takes it for the answer, as curl does: what comes behind it is not read any more.
    return {
      kind: "unreachable",
      reason: `${reason}, which is no answer; it must answer 2xx at once`,
    };
  }
  if (isTransient(status)) return { kind: "retry", reason };
  return { kind: "unreachable", reason: `${reason}; it must allow connections to that host` };
}

/** Begins with the code, and names the proxy's own address. */
function describeProxyFailure(cause: unknown, address: string): string {
  const code = codeOf(innerOf(cause));
  if (describeNetworkFailure(code, address) === null) return describeFailure(cause);
  return `${code} at ${address}; check its host and port, and whether it is running`;
}

/** The code of a certificate's failure among the causes of `error`. */
function certificateCodeOf(error: unknown): string | null {
  for (let cause = error; cause instanceof Error; cause = cause.cause) {
    if (CERTIFICATE.test(errnoOf(cause))) return errnoOf(cause);
  }
  return null;
}

/** Where the system names what TLS has met, the name is only in the message. */
function codeOf(error: unknown): string {
  const code = errnoOf(error);
  const isPlain = error instanceof Error && error.message.includes("wrong version number");
  return code === "EPROTO" && isPlain ? "ERR_SSL_WRONG_VERSION_NUMBER" : code;
}

function innerOf(error: unknown): unknown {
  return error instanceof Error && error.cause instanceof Error ? error.cause : error;
}

/** The innermost message with its code; transport errors hold addresses, but neither headers nor content. */
function describeFailure(error: unknown): string {
  const inner = innerOf(error);
  const code = errnoOf(inner);
  const isParsers = inner instanceof Error && inner.name === "HTTPParserError";
  // What else has no code is no transport's, and may quote a line that it failed on.
  const isKnown = inner instanceof Error && (isParsers || code !== "");
  if (!isKnown) return asInfluxionError(inner).message;
  const detail = [code, quoted(inner.message)].filter((text) => text !== "").join(": ");
  if (code === "ERR_ASSERTION" && inner.message.includes("statusCode >= 100")) {
    return `${NOT_HTTP} (its status is below 100)`;
  }
  if (isParsers || code.startsWith("HPE_")) return `${NOT_HTTP} (${detail})`;
  if (code === "UND_ERR_SOCKET" && /^bad (response|upgrade)$/.test(inner.message)) {
    return `it answered what nobody had asked for, such as "100 Continue"; see what is on the way (${detail})`;
  }
  return detail;
}
