import type { Config } from "../config/config.ts";
import { LATE_MS } from "../run/headline.ts";
import type { UploadState } from "../run/state.ts";
import type { GatewayCheck, GatewayFacts } from "./result.ts";

/** What answers where the host's config says that its Gateway is. */
export type GatewayAnswer =
  | { readonly kind: "ready" | "not-ready" | "none"; readonly at: string }
  /** It is not one of this machine, or that cannot be told from here. */
  | { readonly kind: "unknown"; readonly reason: string };

/** Whether the Gateway runs and uploads. @param now ms since the epoch */
export function checkGateway(
  answer: GatewayAnswer,
  config: Config,
  state: UploadState | null,
  now: number,
): GatewayCheck {
  if (answer.kind === "unknown") {
    return { check: "gateway", verdict: "unknown", reason: answer.reason };
  }
  const lastRun = state?.lastRun ?? null;
  const facts: GatewayFacts = {
    at: answer.at,
    lastRunAt: timeOf(lastRun?.at),
    nextRunAt: timeOf(lastRun?.nextAt),
  };
  const warn = (
    problem: Extract<GatewayCheck, { verdict: "warning" }>["problem"],
    reason: string | null = null,
  ): GatewayCheck => ({ check: "gateway", verdict: "warning", ...facts, problem, reason });
  if (answer.kind === "none") return warn("not-running");
  if (answer.kind === "not-ready") return warn("not-ready");
  if (config.everyMs === 0) return warn("interval-off");
  if ((state?.paused ?? null) !== null) return warn("paused");
  const isBusy = (state?.uploading ?? null) !== null;
  if (!isBusy && facts.nextRunAt !== null && facts.nextRunAt < now - LATE_MS) {
    return warn("overdue");
  }
  const report = lastRun?.report;
  const failure = lastRun?.failure ?? (report?.outcome === "done" ? null : report?.reason) ?? null;
  if (failure !== null) return warn("run-failed", failure);
  return { check: "gateway", verdict: "ok", ...facts };
}

function timeOf(text: string | undefined): number | null {
  const time = Date.parse(text ?? "");
  return Number.isNaN(time) ? null : time;
}
