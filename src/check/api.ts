import { CHECK_OK } from "../protocol/wire.ts";
import { asObject, parseJson } from "../shared/json.ts";
import type { Answer } from "../upload/answer.ts";
import { classifyAnswer } from "../upload/classify.ts";
import type { Exchange } from "./exchange.ts";
import type { ClockCheck, CredentialsCheck } from "./result.ts";
import { checkDns, checkProxy, checkTcp, checkTls } from "./way.ts";

/** So far the clocks may be apart, in ms: new generations are numbered by the one of this machine. */
export const CLOCK_TOLERANCE_MS = 5 * 60_000;

/** `Date` has no fractions of a second. */
const DATE_STEP_MS = 1000;

/** By the answer's `Date` (RFC 9110, 6.6.1). */
export function checkClock({ outcome }: Exchange): ClockCheck {
  if (outcome.kind !== "answered") return { check: "clock", verdict: "skipped", because: "way" };
  const { answer, sentAt, receivedAt } = outcome;
  const date = Date.parse(answer.date ?? "");
  if (Number.isNaN(date) || answer.isCached === true) {
    return { check: "clock", verdict: "unknown", reason: "the answer has no date of its own" };
  }
  const ahead = Math.max(0, sentAt - (date + DATE_STEP_MS));
  const behind = Math.max(0, date - receivedAt);
  const skewMs = ahead - behind;
  const verdict = Math.abs(skewMs) <= CLOCK_TOLERANCE_MS ? "ok" : "warning";
  return { check: "clock", verdict, skewMs };
}

/** What the API said of key and project. An API that does not know the question has said nothing. */
export function checkCredentials(
  exchange: Exchange,
  projectId: string,
  now: number,
): CredentialsCheck {
  const { outcome } = exchange;
  if (outcome.kind === "answered") return ofAnswer(outcome.answer, projectId, now);
  const before = [checkDns, checkTcp, checkProxy].map((check) => check(exchange).verdict);
  const isUnasked = [...before, checkTls(exchange, now).verdict].includes("failed");
  if (isUnasked || outcome.kind === "unusable") {
    return { check: "credentials", verdict: "skipped", because: "way" };
  }
  return { check: "credentials", verdict: "failed", reason: outcome.reason };
}

function ofAnswer(answer: Answer, projectId: string, now: number): CredentialsCheck {
  const { status } = answer;
  if (status === 200 && asObject(parseJson(answer.body)).check === CHECK_OK.check) {
    return { check: "credentials", verdict: "ok", projectId };
  }
  const { kind, ...failure } = classifyAnswer(answer, 0, now);
  const reason = "reason" in failure ? failure.reason : `answered ${status}`;
  const isRefused = kind === "refused" || kind === "unreachable";
  if (isRefused) return { check: "credentials", verdict: "failed", reason };
  const said = kind === "retry" ? reason : `answered ${status}`;
  return { check: "credentials", verdict: "unknown", reason: said };
}
