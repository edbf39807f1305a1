import type { SurveyedSession } from "../discovery/examine.ts";
import type { PlanReader } from "../run/read-plan.ts";
import type { Output } from "./output.ts";
import type { Terminal } from "./terminal.ts";

export interface PreviewViewOptions {
  readonly output: Output;
  readonly terminal: Terminal;
  /** Lines. */
  readonly limit: number;
}

/** What there is to say once everything was shown. */
export interface PreviewEnd {
  /** All that would be sent. */
  readonly total: { readonly sessions: number; readonly bytes: number };
  /** Those that were asked for, if some were; undefined for one that is not there any more. */
  readonly asked: ReadonlyMap<string, SurveyedSession | undefined> | undefined;
  /** What went wrong, in words. */
  readonly trouble: readonly string[];
}

/** Shows what would be sent while it is read. */
export interface PreviewView extends PlanReader {
  readonly output: Output;
  end(end: PreviewEnd): Promise<void>;
}
