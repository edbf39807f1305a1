/** What a failure of the network is, and what to do; by the code of Node, for the host and port that were asked. */
const NETWORK: Readonly<Record<string, (address: string) => string>> = {
  ECONNREFUSED: (address) =>
    `nothing accepts connections at ${address} (ECONNREFUSED); check apiUrl, and whether the API is running or a firewall is in the way`,
  ENOTFOUND: (address) =>
    `no network address is known for ${address} (ENOTFOUND); check the name in apiUrl, and the DNS of this machine`,
  EAI_AGAIN: (address) =>
    `the DNS does not answer for ${address} (EAI_AGAIN); check whether this machine is online`,
  ETIMEDOUT: noAnswer("ETIMEDOUT"),
  UND_ERR_CONNECT_TIMEOUT: noAnswer("UND_ERR_CONNECT_TIMEOUT"),
  ECONNRESET: (address) =>
    `the connection to ${address} was cut (ECONNRESET); if it stays so, see to firewalls and proxies on the way`,
  EPIPE: (address) =>
    `the connection to ${address} was cut (EPIPE); if it stays so, see to firewalls and proxies on the way`,
  EHOSTUNREACH: noRoute("EHOSTUNREACH"),
  ENETUNREACH: noRoute("ENETUNREACH"),
  ERR_SSL_WRONG_VERSION_NUMBER: noTls("ERR_SSL_WRONG_VERSION_NUMBER"),
  ERR_SSL_PACKET_LENGTH_TOO_LONG: noTls("ERR_SSL_PACKET_LENGTH_TOO_LONG"),
  EPROTO: (address) =>
    `TLS with ${address} failed (EPROTO); check apiUrl and its port, and what is on the way`,
};

function noAnswer(code: string) {
  return (address: string): string =>
    `${address} does not answer (${code}); a firewall may drop what is sent, or the network wants a proxy: set HTTPS_PROXY`;
}

function noRoute(code: string) {
  return (address: string): string =>
    `there is no way to ${address} (${code}); check the network and the VPN of this machine`;
}

function noTls(code: string) {
  return (address: string): string =>
    `what answers at ${address} does not speak TLS (${code}); check the port in apiUrl, and whether it should begin with http://`;
}

/** Null for a code that says nothing of the network. @param address host and port */
export function describeNetworkFailure(code: string, address: string): string | null {
  return NETWORK[code]?.(address) ?? null;
}

/** The certificate may be a trusted one, of somebody else. */
export const OTHER_NAMES = "ERR_TLS_CERT_ALTNAME_INVALID";

const OWN_ROOT =
  "it comes from a root that this machine does not know, such as a company's: name its file in tls.ca";

/** What to do about the API's certificate, by the code of the check that it failed. */
const CERTIFICATES: Readonly<Record<string, string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: OWN_ROOT,
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: OWN_ROOT,
  UNABLE_TO_GET_ISSUER_CERT: OWN_ROOT,
  DEPTH_ZERO_SELF_SIGNED_CERT:
    "it is signed by nobody but itself: check apiUrl, or name its file in tls.ca",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "the server sends it without what signed it, or its root is not known here: tell the operator of the API, or name the file with both in tls.ca",
  CERT_HAS_EXPIRED:
    "it has expired: check the clock of this machine, and tell the operator of the API",
  CERT_NOT_YET_VALID: "it is not valid yet: check the clock of this machine",
};

/** @param code of a check that the certificate of `address` failed */
export function describeCertificateFailure(code: string, address: string): string {
  if (code === OTHER_NAMES) {
    return `the TLS certificate is for other names (${code}) than ${address}; check apiUrl, or sign in to the network you are on`;
  }
  const next =
    CERTIFICATES[code] ??
    "check apiUrl, the clock of this machine, or name the file of your company's root in tls.ca";
  return `TLS certificate not trusted (${code}) at ${address}; ${next}`;
}

/** What servers say of the certificate that a client shows (RFC 8446, 6.2); TLS 1.2 has no alert of its own for none. */
const OWN_CERTIFICATE =
  /ALERT_(CERTIFICATE_REQUIRED|BAD_CERTIFICATE|UNSUPPORTED_CERTIFICATE|CERTIFICATE_REVOKED|CERTIFICATE_EXPIRED|CERTIFICATE_UNKNOWN|UNKNOWN_CA|ACCESS_DENIED)$/;

/** Null for what is not about the certificate that is shown to the API. */
export function describeOwnCertificate(code: string, address: string): string | null {
  const alert = OWN_CERTIFICATE.exec(code)?.[1];
  if (alert === undefined) return null;
  const next =
    alert === "CERTIFICATE_REQUIRED"
      ? "set tls.cert and tls.key to the files of one"
      : "see that tls.cert is one that it accepts, and is still valid";
  return `${address} wants a certificate of this machine that it trusts (${code}); ${next}`;
}
