import { isIP } from "node:net";
import type { Exchange } from "./exchange.ts";
import type { DnsCheck, ProxyCheck, TcpCheck, TlsCheck } from "./result.ts";

/** A certificate that ends within this time should be looked at, in ms. */
const ENDS_SOON_MS = 14 * 24 * 3_600_000;
const DAY_MS = 24 * 3_600_000;

export function checkDns({ url, proxy, trace, outcome }: Exchange): DnsCheck {
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1");
  if (outcome.kind === "unusable") return { check: "dns", verdict: "skipped", because: "way" };
  if (proxy !== null) return { check: "dns", verdict: "skipped", because: "proxy" };
  if (isIP(host) !== 0) return { check: "dns", verdict: "skipped", because: "address" };
  const addresses = [...new Set(trace.addresses)];
  if (addresses.length > 0) return { check: "dns", verdict: "ok", host, addresses };
  const reason = outcome.kind === "failed" ? outcome.reason : "no address is known";
  return { check: "dns", verdict: "failed", host, reason };
}

export function checkTcp(exchange: Exchange): TcpCheck {
  const { proxy, trace, outcome } = exchange;
  if (outcome.kind === "unusable" || checkDns(exchange).verdict === "failed") {
    return { check: "tcp", verdict: "skipped", because: "way" };
  }
  if (proxy !== null) return { check: "tcp", verdict: "skipped", because: "proxy" };
  if (trace.connected !== null) return { check: "tcp", verdict: "ok", ...trace.connected };
  return { check: "tcp", verdict: "failed", reason: reasonOf(exchange) };
}

/** @param now ms since the epoch */
export function checkTls(exchange: Exchange, now: number): TlsCheck {
  const { url, trace, outcome } = exchange;
  if (url.protocol !== "https:") return { check: "tls", verdict: "skipped", because: "plain-http" };
  const { certificate } = trace;
  if (trace.isSecure && certificate !== null) {
    const leftMs = certificate.validTo - now;
    const verdict = leftMs < ENDS_SOON_MS ? "warning" : "ok";
    return { check: "tls", verdict, certificate, daysLeft: Math.floor(leftMs / DAY_MS) };
  }
  const isBeforeTls =
    outcome.kind === "unusable" ||
    checkTcp(exchange).verdict === "failed" ||
    checkDns(exchange).verdict === "failed" ||
    (outcome.kind === "failed" && outcome.isProxys);
  if (isBeforeTls) return { check: "tls", verdict: "skipped", because: "way" };
  return { check: "tls", verdict: "failed", certificate, reason: reasonOf(exchange) };
}

export function checkProxy({ proxy, outcome }: Exchange): ProxyCheck {
  if (outcome.kind === "unusable") {
    return { check: "proxy", verdict: "failed", reason: outcome.reason, isSetting: true };
  }
  if (proxy === null) return { check: "proxy", verdict: "skipped", because: "no-proxy" };
  if (outcome.kind === "failed" && outcome.isProxys) {
    return { check: "proxy", verdict: "failed", reason: outcome.reason, isSetting: false };
  }
  const { url, source, caFile = null } = proxy;
  // Its own address has no credentials.
  return { check: "proxy", verdict: "ok", proxy: url.origin, source, caFile };
}

function reasonOf({ outcome }: Exchange): string {
  return outcome.kind === "failed" ? outcome.reason : "no connection was made";
}
