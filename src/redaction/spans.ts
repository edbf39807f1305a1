import type { Span } from "./rule.ts";

/** Stands for a string that has more places to look at than can be looked at. */
export const TOO_MANY = "too-many";

/** In order and without overlaps: what overlaps becomes one, under the rule that knows it best. */
export function merge(spans: readonly Span[], isGeneric: (rule: string) => boolean): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last === undefined || span.start >= last.end) {
      merged.push(span);
      continue;
    }
    const rule =
      rankOf(span.rule, isGeneric) > rankOf(last.rule, isGeneric) ? span.rule : last.rule;
    merged[merged.length - 1] = { start: last.start, end: Math.max(last.end, span.end), rule };
  }
  return merged;
}

function rankOf(rule: string, isGeneric: (rule: string) => boolean): number {
  return rule === TOO_MANY ? 2 : isGeneric(rule) ? 0 : 1;
}
