import type { ConfigProblem, ConfigWarning } from "../config/config.ts";
import type { UnmatchedPattern } from "../config/filter.ts";
import type { LockOwner } from "../ledger/lock.ts";
import type { RootsFile } from "../upload/proxy.ts";
import type { Certificate } from "./trace.ts";

/**
 * `failed`: nothing can be delivered like this. `warning`: it can, and somebody should look.
 * `unknown`: cannot be found out from here. `skipped`: does not apply, or another one has to be right first.
 */
export type Verdict = "ok" | "warning" | "failed" | "unknown" | "skipped";

/** Why a check was not made. */
export type SkipReason =
  | "offline"
  | "config"
  | "ledger"
  | "way"
  | "proxy"
  | "address"
  | "plain-http"
  | "no-proxy";

/** What one check found, as data; the words for it are the command's. */
type Found<Check, V extends Verdict, Facts = unknown> = {
  readonly check: Check;
  readonly verdict: V;
} & Readonly<Facts>;

type Failed<Check> = Found<Check, "failed", { reason: string }>;
type Skipped<Check> = Found<Check, "skipped", { because: SkipReason }>;
type Unknown<Check> = Found<Check, "unknown", { reason: string }>;

export type ConfigCheck =
  | Found<"config", "ok", { apiUrl: string; deploymentId: string; projectId: string }>
  /** Names that no option has. */
  | Found<"config", "warning", { warnings: readonly ConfigWarning[] }>
  | Found<"config", "failed", { problems: readonly ConfigProblem[] }>;

export type SecretsCheck =
  /** `reference` is `source:id` of the API key, or null where it is in the config itself. */
  | Found<"secrets", "ok", { reference: string | null; redactValues: number }>
  | Failed<"secrets">
  | Skipped<"secrets">;

export type StateCheck =
  | Found<"state", "ok", { stateDir: string }>
  | Found<"state", "failed", { stateDir: string; code: string }>;

export type StoresCheck =
  | Found<"stores", "ok", { agents: number; sessions: number; kinds: readonly string[] }>
  | Found<"stores", "warning", { agents: number; sessions: number; reasons: readonly string[] }>
  | Failed<"stores">
  | Skipped<"stores">;

export type FiltersCheck =
  | Found<"filters", "ok", { pending: number; pendingBytes: number; skipped: number }>
  | Found<
      "filters",
      "warning",
      { unmatched: readonly UnmatchedPattern[]; excludesAll: boolean; skipped: number }
    >
  | Skipped<"filters">;

export type LedgerCheck =
  | Found<"ledger", "ok", { uploaded: number }>
  | Found<"ledger", "warning", { reasons: readonly string[] }>
  | Failed<"ledger">;

export type LockCheck =
  | Found<"lock", "ok", { owner: LockOwner | null }>
  | Found<"lock", "warning", { owner: LockOwner; heldMs: number }>
  | Failed<"lock">;

/** `skewMs`: how far this machine's clock is ahead of the server's. */
export type ClockCheck =
  | Found<"clock", "ok" | "warning", { skewMs: number }>
  | Unknown<"clock">
  | Skipped<"clock">;

export type DnsCheck =
  | Found<"dns", "ok", { host: string; addresses: readonly string[] }>
  | Found<"dns", "failed", { host: string; reason: string }>
  | Skipped<"dns">;

export type TcpCheck =
  | Found<"tcp", "ok", { address: string; port: number; ms: number }>
  | Failed<"tcp">
  | Skipped<"tcp">;

export type TlsCheck =
  | Found<"tls", "ok" | "warning", { certificate: Certificate; daysLeft: number }>
  | Found<"tls", "failed", { certificate: Certificate | null; reason: string }>
  | Skipped<"tls">;

export type ProxyCheck =
  | Found<"proxy", "ok", { proxy: string; source: string; caFile: RootsFile | null }>
  | Found<"proxy", "failed", { reason: string; isSetting: boolean }>
  | Skipped<"proxy">;

export type CredentialsCheck =
  | Found<"credentials", "ok", { projectId: string }>
  | Failed<"credentials">
  | Unknown<"credentials">
  | Skipped<"credentials">;

/** What is known of the Gateway: where it would answer, and when its uploads ran and will run, in ms since the epoch. */
export interface GatewayFacts {
  readonly at: string | null;
  readonly lastRunAt: number | null;
  readonly nextRunAt: number | null;
}

export type GatewayCheck =
  | Found<"gateway", "ok", GatewayFacts>
  | Found<
      "gateway",
      "warning",
      GatewayFacts & {
        problem: "not-running" | "not-ready" | "overdue" | "run-failed" | "interval-off";
        reason: string | null;
      }
    >
  | Unknown<"gateway">
  | Skipped<"gateway">;

export type CheckResult =
  | ConfigCheck
  | SecretsCheck
  | StateCheck
  | StoresCheck
  | FiltersCheck
  | LedgerCheck
  | LockCheck
  | ClockCheck
  | DnsCheck
  | TcpCheck
  | TlsCheck
  | ProxyCheck
  | CredentialsCheck
  | GatewayCheck;

export type CheckName = CheckResult["check"];

/** Whether a failure is one of this machine, and not of the way to the API or of the API itself. */
export function isLocal(result: CheckResult): boolean {
  if (result.check === "proxy") return result.verdict === "failed" && result.isSetting;
  return !["clock", "dns", "tcp", "tls", "credentials"].includes(result.check);
}
