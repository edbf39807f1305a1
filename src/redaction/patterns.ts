import { createRequire } from "node:module";

const require = createRequire(import.meta.url);

/** A pattern of the user's own, as it is written in the config. */
export interface PatternOption {
  /** Also what stands in the place of what it matches, as `[redacted:id]`. */
  readonly id: string;
  /** Source of a regular expression, with the flag `u`. */
  readonly pattern: string;
}

/** The same, checked. */
export interface UserPattern {
  readonly id: string;
  readonly expression: RegExp;
}

/** Why a pattern is refused, as what was expected instead. */
export interface PatternProblem {
  readonly index: number;
  readonly expected: string;
}

export const MAX_PATTERNS = 20;
export const MAX_PATTERN_LENGTH = 500;

/**
 * Ways in which an expression may match the same text at one place, as far as that can be called linear; and
 * the steps that finding them out may take, about 100 ms. Both say the same on every machine.
 */
const MAX_SCORE = 200;
const MAX_STEPS = 2000;

const ID = /^[a-z0-9][a-z0-9-]{0,39}$/;
const ID_FORM = "an id of small letters, digits and dashes, at most 40 characters";

/** Compiles patterns, or says what is wrong with them. @param taken ids of other rules */
export function compilePatterns(
  options: readonly PatternOption[],
  taken: ReadonlySet<string>,
): { patterns: UserPattern[]; problems: PatternProblem[] } {
  const patterns: UserPattern[] = [];
  const problems: PatternProblem[] = [];
  const ids = new Set(taken);
  for (const [index, option] of options.entries()) {
    const expected =
      index >= MAX_PATTERNS ? `at most ${MAX_PATTERNS} patterns` : refusal(option, ids);
    ids.add(option.id);
    if (expected === null)
      patterns.push({ id: option.id, expression: new RegExp(option.pattern, "gu") });
    else problems.push({ index, expected });
  }
  return { patterns, problems };
}

function refusal({ id, pattern }: PatternOption, ids: ReadonlySet<string>): string | null {
  if (!ID.test(id)) return ID_FORM;
  if (ids.has(id)) return "an id that no other rule has";
  if (pattern.length > MAX_PATTERN_LENGTH)
    return `a pattern of at most ${MAX_PATTERN_LENGTH} characters`;
  return formRefusal(pattern) ?? speedRefusal(pattern);
}

function formRefusal(pattern: string): string | null {
  try {
    if (new RegExp(pattern, "u").test("")) return "a pattern that does not match nothing";
    return null;
  } catch {
    return "a regular expression of JavaScript";
  }
}

function speedRefusal(pattern: string): string | null {
  const expected =
    "a pattern that takes no more time than its text is long: begin it with what is like nothing else, and let no two repetitions match the same";
  // Loaded here, since it takes 11 ms of CPU and most people have no pattern of their own.
  const { isSafePattern } = require("redos-detector") as typeof import("redos-detector");
  try {
    const { safe } = isSafePattern(pattern, {
      unicode: true,
      maxScore: MAX_SCORE,
      maxSteps: MAX_STEPS,
    });
    return safe ? null : expected;
  } catch {
    return `${expected}, and without what cannot be checked`;
  }
}
