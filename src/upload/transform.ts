import type { Config } from "../config/config.ts";
import { leastOf } from "../config/content.ts";
import type { Filter, SessionNames } from "../config/filter.ts";
import { type ContentFilter, createContentFilter } from "../content/filter.ts";
import { patternProblems, Redactor, RULE_IDS } from "../redaction/redactor.ts";
import { InfluxionError } from "../shared/problem.ts";

/** What the lines of a session go through before they leave. */
export interface Transform {
  /** The content level, as `Influxion-Content` names it. */
  readonly content: string;
  /** What credentials are found by, as `Influxion-Redaction` names it. */
  readonly redaction: string;
  /** Of two equal versions, the same line becomes the same bytes. */
  readonly version: string;
  /** Null where everything is sent. */
  readonly filter: ContentFilter | null;
  readonly redactor: Pick<Redactor, "redact">;
}

export interface TransformOptions {
  readonly config: Pick<Config, "content" | "redact">;
  readonly filter: Filter;
  /** Exact values that must never leave. */
  readonly values: readonly string[];
  /**
   * Never leaves either. It is no part of the version: lines that hold it are rare, keys are
   * replaced, and then everything that is not confirmed yet would have to be taken for something else.
   */
  readonly apiKey: string;
  /** See `Ledger.secret`. */
  readonly identitySecret: Uint8Array;
}

/** Chooses the transform of each session. */
export type TransformOf = (agentNames: readonly string[], session: SessionNames) => Transform;

/** @throws {InfluxionError} `REDACT_INVALID` for a rule that does not exist, or a pattern that is refused */
export function createTransforms({
  config: { content, redact },
  filter,
  values,
  apiKey,
  identitySecret,
}: TransformOptions): TransformOf {
  checkRedaction(redact);
  const disable = redact.secrets ? redact.disable : [...RULE_IDS];
  const { patterns } = redact;
  const redactor = new Redactor({ disable, patterns, values, apiKey, identitySecret });
  const made = new Map<string, Transform>();
  return (agentNames, session) => {
    const level = leastOf([content.level, filter.levelOf(agentNames, session)]);
    const before = made.get(level);
    if (before !== undefined) return before;
    const { images } = content;
    const transform = {
      content: images ? level : `${level}, no-images`,
      redaction: redactor.identity,
      version: `${level}${images ? "" : "-no-images"}/${redactor.identity}`,
      filter: createContentFilter({ level, images }),
      redactor,
    };
    made.set(level, transform);
    return transform;
  };
}

/** @throws {InfluxionError} `REDACT_INVALID` */
function checkRedaction({ disable, patterns }: Config["redact"]): void {
  const at = disable.findIndex((id) => !RULE_IDS.has(id));
  if (at !== -1) {
    throw new InfluxionError(
      "REDACT_INVALID",
      `redact.disable[${at}] is the id of no rule; docs/privacy.md lists them`,
    );
  }
  const [problem] = patternProblems(patterns);
  if (problem === undefined) return;
  throw new InfluxionError(
    "REDACT_INVALID",
    `redact.patterns[${problem.index}] cannot be used; expected ${problem.expected}`,
  );
}
