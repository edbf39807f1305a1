import { CLOCK_TOLERANCE_MS } from "../check/api.ts";
import type {
  CheckResult,
  ClockCheck,
  ConfigCheck,
  CredentialsCheck,
  DnsCheck,
  FiltersCheck,
  GatewayCheck,
  LedgerCheck,
  LockCheck,
  ProxyCheck,
  SecretsCheck,
  StateCheck,
  StoresCheck,
  TcpCheck,
  TlsCheck,
} from "../check/result.ts";
import { span, when } from "../shared/text.ts";

/** What a check says once it was made. */
export type Told<Result extends CheckResult> = Exclude<Result, { verdict: "skipped" }>;

/** Those that are asked over the network. */
export type ApiCheck = Exclude<
  CheckResult,
  ConfigCheck | SecretsCheck | StateCheck | StoresCheck | FiltersCheck | LedgerCheck | LockCheck
>;

/** One sentence without its full stop. @param now ms since the epoch */
export function describeApiCheck(result: Told<ApiCheck>, now: number): string {
  switch (result.check) {
    case "clock":
      return describeClock(result);
    case "dns":
      return describeDns(result);
    case "tcp":
      return describeTcp(result);
    case "tls":
      return describeTls(result);
    case "proxy":
      return describeProxy(result);
    case "credentials":
      return describeCredentials(result);
    case "gateway":
      return describeGateway(result, now);
  }
}

function describeClock(result: Told<ClockCheck>): string {
  if (result.verdict === "unknown") return `not known: ${result.reason}`;
  const { skewMs } = result;
  const tolerance = `${span(CLOCK_TOLERANCE_MS)} are tolerated`;
  if (skewMs === 0) return `as the API's; ${tolerance}`;
  const apart = `${span(skewMs)} ${skewMs > 0 ? "ahead of" : "behind"} the API's; ${tolerance}`;
  if (result.verdict === "ok") return apart;
  return `${apart}: set this machine's clock, by NTP for instance`;
}

function describeDns(result: Told<DnsCheck>): string {
  const { host } = result;
  if (result.verdict === "ok") return `${host} is ${result.addresses.join(", ")}`;
  return `${host} was not found (${result.reason}); check apiUrl and this machine's DNS`;
}

function describeTcp(result: Told<TcpCheck>): string {
  if (result.verdict === "failed") {
    return `no connection (${result.reason}); check apiUrl, and whether a firewall is on the way`;
  }
  const { address, port, ms } = result;
  return `connected to ${address}, port ${port}, in ${ms} ms`;
}

function describeTls(result: Told<TlsCheck>): string {
  if (result.verdict === "failed") {
    const { certificate, reason } = result;
    return certificate === null ? reason : `${reason}; it was issued by ${certificate.issuer}`;
  }
  const { certificate, daysLeft } = result;
  const until = new Date(certificate.validTo).toISOString().slice(0, 10);
  const issued = `certificate issued by ${certificate.issuer}, valid until ${until}`;
  if (result.verdict === "ok") return issued;
  return `${issued}, ${daysLeft} days from now: the API's operator should renew it`;
}

function describeProxy(result: Told<ProxyCheck>): string {
  if (result.verdict === "failed") return result.reason;
  const { proxy, source, caFile } = result;
  const roots = caFile === null ? "" : `, checked with the roots of ${caFile.source}`;
  return `${proxy}, set by ${source}${roots}`;
}

function describeCredentials(result: Told<CredentialsCheck>): string {
  switch (result.verdict) {
    case "ok":
      return `the API takes this key for project ${result.projectId}`;
    case "failed":
      return result.reason;
    case "unknown":
      return `not verified: the API ${result.reason} to a request without lines; "openclaw influxion sync" shows whether it takes them`;
  }
}

function describeGateway(result: Told<GatewayCheck>, now: number): string {
  if (result.verdict === "unknown") return `not known: ${result.reason}`;
  const { at, lastRunAt, nextRunAt } = result;
  const last = lastRunAt === null ? "no run yet" : `last run ${when(lastRunAt, now)}`;
  if (result.verdict === "ok") {
    const next = nextRunAt === null || nextRunAt < now ? "" : `, next run ${when(nextRunAt, now)}`;
    return `runs at ${at}; ${last}${next}`;
  }
  switch (result.problem) {
    case "not-running":
      return `none answers at ${at} on this machine, so nothing is uploaded on the interval; start it with "openclaw gateway"`;
    case "not-ready":
      return `it answers at ${at} and is not ready yet; "openclaw health" shows what it waits for`;
    case "overdue":
      return `runs at ${at}, but a run was due ${when(nextRunAt ?? now, now)}; restart it with "openclaw gateway restart"`;
    case "run-failed":
      return `runs at ${at}; ${last}, which did not get through: ${result.reason}`;
    case "paused":
      return `runs at ${at}, but uploads are paused; "openclaw influxion resume" ends that`;
    case "interval-off":
      return `runs at ${at}, but upload.every is "0": only "openclaw influxion sync" uploads`;
  }
}
