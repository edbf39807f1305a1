import type { Filter } from "../config/filter.ts";
import { namesOf, type SurveyedSession } from "../discovery/examine.ts";
import type { Ledger } from "../ledger/ledger.ts";
import type { Transform } from "../upload/transform.ts";
import type { RunOptions } from "./options.ts";

/**
 * What the lines of each session go through before they leave. Loaded when there is something
 * to send.
 *
 * @throws {InfluxionError} `REDACT_INVALID`
 */
export async function transformsOf(
  {
    config,
    apiKey = "",
    redactValues = [],
  }: Pick<RunOptions, "config" | "redactValues"> & Partial<Pick<RunOptions, "apiKey">>,
  filter: Filter,
  { secret: identitySecret }: Ledger,
): Promise<(session: SurveyedSession) => Transform> {
  const { createTransforms } = await import("../upload/transform.ts");
  const transformOf = createTransforms({
    config,
    filter,
    values: redactValues,
    apiKey,
    identitySecret,
  });
  return ({ agent, sessionId, streams }) => transformOf(agent.names, namesOf(sessionId, streams));
}
