import * as v from "valibot";
import { isGlob } from "./glob.ts";

/**
 * Negations and other forms of shells would deny what nobody meant, or nothing: they are
 * refused rather than taken for text.
 */
export const isPattern = (text: string): boolean =>
  text !== "" &&
  !text.startsWith("!") &&
  !/[@+!*?]\(|\([^()]*\||\[:[a-z]+:\]/i.test(text) &&
  isGlob(text);

export const globs = (expected: string) =>
  v.optional(
    v.array(v.pipe(v.string(expected), v.trim(), v.check(isPattern, expected)), expected),
    [],
  );

export const GLOB_FORM =
  'with at most four * and four {a,b}, and with ? and [a-z], but with neither "!" in front, "@(a|b)" nor "[[:alpha:]]"; "\\" before a character takes it as it is';
