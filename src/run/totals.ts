import * as v from "valibot";
import type { RunReport } from "./report.ts";

const Total = v.pipe(v.number(), v.minValue(0));

export const TotalsSchema = v.object({
  /** Runs, by their outcome; `failed` had none. */
  runs: v.record(v.string(), Total),
  sessions: Total,
  lines: Total,
  /** Bytes of transcripts. */
  bytes: Total,
  /** Compressed bytes handed to the network, all attempts. */
  wireBytes: Total,
});

/** What all runs have done since counting began: the Gateway's and those of commands. */
export type Totals = Readonly<v.InferOutput<typeof TotalsSchema>>;

const NONE: Totals = { runs: {}, sessions: 0, lines: 0, bytes: 0, wireBytes: 0 };

/** @param report null of a run that came to none */
export function addRun(before: Totals | undefined, report: RunReport | null): Totals {
  const { runs: earlier, ...sums } = before ?? NONE;
  const outcome = report?.outcome ?? "failed";
  const runs = { ...earlier, [outcome]: (earlier[outcome] ?? 0) + 1 };
  if (report === null) return { ...sums, runs };
  const { sessions, lines, sourceBytes, wireBytes } = report.sent;
  return {
    runs,
    sessions: sums.sessions + sessions,
    lines: sums.lines + lines,
    bytes: sums.bytes + sourceBytes,
    wireBytes: sums.wireBytes + wireBytes,
  };
}
