import type {
  CheckResult,
  ConfigCheck,
  FiltersCheck,
  LedgerCheck,
  LockCheck,
  SecretsCheck,
  SkipReason,
  StateCheck,
  StoresCheck,
  Verdict,
} from "../check/result.ts";
import { formatConfigProblem } from "../config/config.ts";
import { describeOwner } from "../ledger/lock.ts";
import { bytes, count, plain, span } from "../shared/text.ts";
import { describeApiCheck, type Told } from "./check-format-api.ts";
import { describeUnmatched } from "./sync-format.ts";
import type { painter } from "./terminal.ts";
import { hang } from "./wrap.ts";

type Paint = ReturnType<typeof painter>;

const MARKS: Readonly<Record<Verdict, readonly [Parameters<Paint>[0], string]>> = {
  ok: ["green", "✓"],
  warning: ["yellow", "!"],
  failed: ["red", "✗"],
  unknown: ["yellow", "?"],
  skipped: ["dim", "-"],
};

const TITLES: Readonly<Record<CheckResult["check"], string>> = {
  config: "config",
  secrets: "secrets",
  state: "state",
  stores: "stores",
  filters: "filters",
  ledger: "ledger",
  lock: "lock",
  clock: "clock",
  dns: "DNS",
  tcp: "TCP",
  tls: "TLS",
  proxy: "proxy",
  credentials: "credentials",
  gateway: "Gateway",
};

const TITLE_WIDTH = 13;

/**
 * One check as a line that goes on below itself.
 * @param now ms since the epoch
 * @param width of the terminal, in cells
 */
export function formatCheck(
  result: CheckResult,
  paint: Paint,
  now: number,
  width = Number.POSITIVE_INFINITY,
): string {
  const [style, mark] = MARKS[result.verdict];
  const title = TITLES[result.check].padEnd(TITLE_WIDTH);
  return `${hang(`  ${paint(style, mark)} ${title}`, describeCheck(result, now), width)}\n`;
}

/** Not checked since the config is not right: then most are not, and one line says so. */
export function isUnchecked(result: CheckResult): boolean {
  return result.verdict === "skipped" && result.because === "config";
}

/** That line, or nothing. */
export function formatUnchecked(results: readonly CheckResult[], paint: Paint): string {
  if (!results.some(isUnchecked)) return "";
  const [style, mark] = MARKS.skipped;
  return `  ${paint(style, mark)} ${"the others".padEnd(TITLE_WIDTH)}${WHY_SKIPPED.config}\n`;
}

/** One sentence without its full stop. @param now ms since the epoch */
export function describeCheck(result: CheckResult, now: number): string {
  if (result.verdict === "skipped") return WHY_SKIPPED[result.because];
  switch (result.check) {
    case "config":
      return describeConfig(result);
    case "secrets":
      return describeSecrets(result);
    case "state":
      return describeState(result);
    case "stores":
      return describeStores(result);
    case "filters":
      return describeFilters(result);
    case "ledger":
      return describeLedger(result);
    case "lock":
      return describeLock(result);
    default:
      return plain(describeApiCheck(result, now));
  }
}

const WHY_SKIPPED: Readonly<Record<SkipReason, string>> = {
  offline: "not asked, because of --offline",
  config: "not checked before the config is right",
  ledger: "not checked before the ledger can be read",
  way: "not checked before there is a way to the API",
  proxy: "left to the proxy",
  address: "apiUrl has an address, so there is no name to look up",
  "plain-http": "apiUrl is plain http",
  "no-proxy": "none",
};

/** The last line: what follows from all of it. */
export function summarize(results: readonly CheckResult[]): string {
  const of = (verdict: Verdict): number =>
    results.filter((result) => result.verdict === verdict).length;
  const unverified = results.some(
    ({ check, verdict }) => check === "credentials" && verdict !== "ok",
  );
  const warnings = of("warning");
  const others = warnings === 0 ? "" : `, ${count(warnings, "warning")}`;
  if (of("failed") > 0) {
    return `This installation cannot deliver: ${of("failed")} failed${others}.`;
  }
  if (unverified) {
    return `Nothing is wrong here${others}; whether the API takes the key is not verified.`;
  }
  return `This installation can deliver${others}.`;
}

function describeConfig(result: ConfigCheck): string {
  if (result.verdict === "failed") {
    const [first, ...others] = result.problems.map(formatConfigProblem);
    const more = others.length === 0 ? "" : `, and ${others.length} more`;
    return plain(`${first}${more}; "openclaw influxion setup" mends it`);
  }
  if (result.verdict === "warning") {
    return plain(listed(result.warnings.map(({ message }) => message)));
  }
  const { apiUrl, projectId, deploymentId } = result;
  return plain(`${apiUrl}, project ${projectId}, deployment ${deploymentId}`);
}

function describeSecrets(result: Told<SecretsCheck>): string {
  if (result.verdict === "failed") return plain(result.reason);
  const { reference, redactValues } = result;
  const values = redactValues === 0 ? "" : `; ${count(redactValues, "value")} to redact found`;
  if (reference === null) return `the API key is in the config${values}`;
  const elsewhere = reference.startsWith("env:")
    ? "; the Gateway needs it in its own environment, too"
    : "";
  return plain(`the API key is found by its reference, ${reference}${elsewhere}${values}`);
}

const STATE_FAILURES: Readonly<Record<string, string>> = {
  ENOENT: "does not exist; start OpenClaw once, or see OPENCLAW_STATE_DIR",
  ENOTDIR: "is no folder; see OPENCLAW_STATE_DIR",
  EACCES: "cannot be used; give the user that runs OpenClaw access to it",
  EPERM: "cannot be used; give the user that runs OpenClaw access to it",
  EROFS: "is on a file system that is mounted read-only; mount it for writing",
};

function describeState(result: StateCheck): string {
  if (result.verdict === "ok") return plain(result.stateDir);
  const { stateDir, code } = result;
  return plain(`${stateDir} ${STATE_FAILURES[code] ?? `cannot be used (${code})`}`);
}

/** Reasons that are shown of several. */
const LISTED = 3;

function describeStores(result: Told<StoresCheck>): string {
  if (result.verdict === "failed") return plain(result.reason);
  const { agents, sessions } = result;
  const found = `${count(agents, "agent")}, ${count(sessions, "session")}`;
  if (result.verdict === "ok") return `${found} (${result.kinds.join(" and ")})`;
  if (result.reasons.length === 0) {
    return `${found}: nothing can be sent before an agent has talked; if some have, see OPENCLAW_STATE_DIR`;
  }
  return plain(`${found}; ${listed(result.reasons)}`);
}

function describeFilters(result: Told<FiltersCheck>): string {
  const { skipped } = result;
  if (result.verdict === "ok") {
    const left = skipped === 0 ? "" : `; ${count(skipped, "session")} left out`;
    const { pending, pendingBytes } = result;
    return `${count(pending, "session")} to send, ${bytes(pendingBytes)}${left}`;
  }
  if (result.excludesAll) return `they leave out all ${count(skipped, "session")}; see filter`;
  return `${listed(result.unmatched.map(describeUnmatched))}; check the spelling`;
}

function describeLedger(result: LedgerCheck): string {
  switch (result.verdict) {
    case "ok":
      return `can be read and written; ${count(result.uploaded, "session")} on record`;
    case "warning":
      return plain(listed(result.reasons));
    case "failed":
      return plain(result.reason);
  }
}

function describeLock(result: LockCheck): string {
  if (result.verdict === "failed") return plain(result.reason);
  if (result.owner === null) return "free";
  const held = plain(describeOwner(result.owner));
  if (result.verdict === "ok") return held;
  return `${held}, for ${span(result.heldMs)}; see whether that process still does something`;
}

function listed(reasons: readonly string[]): string {
  const more = reasons.length - LISTED;
  const shown = reasons.slice(0, LISTED).join("; ");
  return more <= 0 ? shown : `${shown}; and ${more} more`;
}
