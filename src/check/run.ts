import type { Config, ConfigResult } from "../config/config.ts";
import { readState, type UploadState } from "../run/state.ts";
import { asInfluxionError } from "../shared/problem.ts";
import type { HostLayout } from "../stores/layout.ts";
import type { HostProxy } from "../upload/proxy.ts";
import { checkClock, checkCredentials } from "./api.ts";
import { type Exchange, exchange } from "./exchange.ts";
import { checkGateway, type GatewayAnswer } from "./gateway.ts";
import { checkFilters, checkLedger, checkLock, checkState, checkStores } from "./local.ts";
import type { CheckName, CheckResult, SecretsCheck, SkipReason } from "./result.ts";
import { checkDns, checkProxy, checkTcp, checkTls } from "./way.ts";

export interface CheckOptions {
  readonly stateDir: string;
  readonly layout?: HostLayout | undefined;
  readonly config: ConfigResult;
  /** Without the network, the Gateway included. */
  readonly offline: boolean;
  /** Finds what the config only refers to. */
  readonly secrets: (config: Config) => Promise<{ readonly apiKey: string }>;
  readonly proxy?: HostProxy | undefined;
  /** Looks whether the Gateway answers. */
  readonly gateway: (signal: AbortSignal) => Promise<GatewayAnswer>;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** What is asked over the network, in the order in which it is shown. */
const REMOTE = ["clock", "dns", "tcp", "tls", "proxy", "credentials"] as const;

/**
 * Finds out whether this installation can deliver. Nothing is uploaded, and nothing recorded or
 * changed. Results come in the order of the list in README.md, as soon as they are known.
 *
 * @throws the signal's reason
 */
export async function* runChecks(options: CheckOptions): AsyncGenerator<CheckResult> {
  const { stateDir, config: result, signal, now } = options;
  if (!result.ok) {
    yield { check: "config", verdict: "failed", problems: result.problems };
    yield await checkState(stateDir);
    yield await checkLock(stateDir, now);
    const others = ["secrets", "stores", "filters", "ledger", ...REMOTE, "gateway"] as const;
    for (const check of others) yield skipped(check, "config");
    return;
  }
  const { config, warnings } = result;
  const { apiUrl, deploymentId, projectId } = config;
  yield warnings.length > 0
    ? { check: "config", verdict: "warning", warnings }
    : { check: "config", verdict: "ok", apiUrl, deploymentId, projectId };
  const { secrets, apiKey } = await checkSecrets(options, config);
  yield secrets;
  yield await checkState(stateDir);
  signal.throwIfAborted();
  const ledger = await checkLedger(stateDir, config, now);
  const { state, why } = await stateOf(options, config);
  yield checkStores(state, ledger.verdict === "failed" ? null : why);
  yield checkFilters(state);
  yield ledger;
  yield await checkLock(stateDir, now);
  signal.throwIfAborted();
  yield* checkApi(options, config, apiKey);
  signal.throwIfAborted();
  if (options.offline) yield skipped("gateway", "offline");
  else yield checkGateway(await options.gateway(signal), config, state, now());
}

async function* checkApi(
  options: CheckOptions,
  config: Config,
  apiKey: string | null,
): AsyncGenerator<CheckResult> {
  if (options.offline || apiKey === null) {
    for (const check of REMOTE) yield skipped(check, apiKey === null ? "config" : "offline");
    return;
  }
  const found = await exchange({ ...options, config, apiKey });
  yield* ofExchange(found, config, options.now());
}

function ofExchange(found: Exchange, { projectId }: Config, now: number): CheckResult[] {
  return [
    checkClock(found),
    checkDns(found),
    checkTcp(found),
    checkTls(found, now),
    checkProxy(found),
    checkCredentials(found, projectId, now),
  ];
}

async function checkSecrets(
  { secrets }: CheckOptions,
  config: Config,
): Promise<{ secrets: SecretsCheck; apiKey: string | null }> {
  try {
    const { apiKey } = await secrets(config);
    const { apiKey: given } = config;
    const reference = typeof given === "string" ? null : `${given.source}:${given.id}`;
    const redactValues = config.redact.values.length;
    return { secrets: { check: "secrets", verdict: "ok", reference, redactValues }, apiKey };
  } catch (error) {
    const reason = asInfluxionError(error).message;
    return { secrets: { check: "secrets", verdict: "failed", reason }, apiKey: null };
  }
}

/** What is known of transcripts and uploads, or why nothing is. */
async function stateOf(
  { stateDir, layout, now }: CheckOptions,
  config: Config,
): Promise<{ state: UploadState | null; why: string | null }> {
  try {
    return { state: await readState(stateDir, config, now, layout), why: null };
  } catch (error) {
    return { state: null, why: asInfluxionError(error).message };
  }
}

function skipped(check: Exclude<CheckName, "config" | "state" | "lock">, because: SkipReason) {
  return { check, verdict: "skipped", because } as CheckResult;
}
