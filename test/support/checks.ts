import type { CheckResult } from "../../src/check/result.ts";
import type { Spoken } from "./lab.ts";

/** What `check --json` found, by the names of the checks. */
export function checksOf({ out }: Spoken): Record<string, Record<string, unknown>> {
  const { checks } = JSON.parse(out) as { checks: CheckResult[] };
  return Object.fromEntries(checks.map((result) => [result.check, { ...result }]));
}
