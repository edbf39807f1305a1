import * as v from "valibot";
import { isGlob } from "./glob.ts";
import { listOf, readText } from "./values.ts";

/**
 * Negations and other forms of shells would deny what nobody meant, or nothing: they are
 * refused rather than taken for text.
 */
export const isPattern = (text: string): boolean =>
  text !== "" &&
  !text.startsWith("!") &&
  !/[@+!*?]\(|\([^()]*\||\[:[a-z]+:\]/i.test(text) &&
  isGlob(text);

/** An editor that separates items by commas cuts `{a,b}` into items that mean nothing. */
function isCut(items: readonly string[], at: number): boolean {
  if (!/\{[^{}]*$/.test(items[at] ?? "")) return false;
  const next = items.slice(at + 1).find((item) => /[{}]/.test(item));
  return next !== undefined && /^[^{}]*\}/.test(next);
}

export const globs = (expected: string) =>
  v.pipe(
    listOf(
      v.pipe(
        v.unknown(),
        v.transform(readText),
        v.string(expected),
        v.trim(),
        v.check(isPattern, expected),
      ),
      expected,
    ),
    v.checkItems((_, at, items) => !isCut(items, at), BRACES_FORM),
  );

const BRACES_FORM =
  'braces that are closed in the same item, as in ["team-{a,b}"]; an editor may have cut it at the comma: there, write "team-a" and "team-b"';

export const GLOB_FORM =
  'with at most four * and four {a,b}, and with ? and [a-z], but with neither "!" in front, "@(a|b)" nor "[[:alpha:]]"; "\\" before a character takes it as it is';
