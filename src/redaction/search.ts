import { type Literal, nextLiteral } from "./literals.ts";
import type { UserPattern } from "./patterns.ts";
import { MORE, type Rule, type Span, type Subject } from "./rule.ts";
import { ESCAPES } from "./rules/escape.ts";
import { ruleOfMember } from "./rules/named.ts";
import type { Scanner } from "./scanner.ts";
import { merge, TOO_MANY } from "./spans.ts";
import { boundary, textOf, type View, viewsOf } from "./view.ts";
import type { Work } from "./work.ts";

/** What is looked for. */
export interface Detection {
  readonly scanner: Scanner;
  readonly patterns: readonly UserPattern[];
  readonly isEnabled: (rule: Rule) => boolean;
  readonly isGeneric: (rule: string) => boolean;
}

/** Bytes around a needle that rules are shown at first. */
const BEFORE = 320;
const BEHIND = 700;

/** The same for a rule that has to see more: as much as it asks for, and what escapes add. */
const STRETCH = 1.5;

/** What a rule is shown besides that wants to see more than it asked for. */
const MORE_CHARACTERS = 4096;

/** Bytes of a string that are decoded at a time. */
const CHUNK = 4 * 1024;

/** Strings that are passed before other work may go on. */
const LITERALS = 5000;

/** The same as for a chunk, for patterns of users, with what each sees of its neighbours: a match is at most that long. */
export const PATTERN_CHUNK = 16 * 1024;
export const PATTERN_OVERLAP = 1024;

/** How far behind an escape a needle may begin that it is part of or stands in front of. */
const SLACK = 64;

/**
 * Finds the secrets in the strings of one line of JSON. Yields where other work may go on. Keys are
 * left alone, but say something of their values.
 *
 * @param hits pairs of offsets, ascending: between the two of a pair, both included, are needles
 */
export function* searchLine(
  line: Buffer,
  hits: readonly number[],
  detection: Detection,
  work: Work,
): Generator<void, Span[]> {
  const spans: Span[] = [];
  const all = detection.patterns.length > 0;
  let next = 0;
  let key: string | undefined;
  let literals = 0;
  for (let at = 0; all || next < hits.length || key !== undefined; ) {
    const literal = nextLiteral(line, at);
    if (literal === undefined) break;
    at = literal.close + 1;
    if (++literals % LITERALS === 0) yield;
    while (next < hits.length && (hits[next + 1] as number) <= literal.open) next += 2;
    const isHit = next < hits.length && (hits[next] as number) < literal.close;
    if (literal.isKey) {
      key = isHit && !work.isExhausted ? textOf(line, literal.open + 1, literal.close) : undefined;
      continue;
    }
    if (work.isExhausted) {
      if (isHit) spans.push({ start: literal.open + 1, end: literal.close, rule: TOO_MANY });
      continue;
    }
    const search = new LiteralSearch(line, literal, detection, work);
    if (key !== undefined) search.byKey(key);
    if (isHit) yield* search.atHits(hits, next);
    if (all) yield* search.byPatterns();
    for (const span of search.spans()) spans.push(span);
    key = undefined;
  }
  return spans;
}

class LiteralSearch {
  readonly #line: Buffer;
  readonly #literal: Literal;
  readonly #detection: Detection;
  readonly #work: Work;
  readonly #found: Span[] = [];
  /** A place at which the literal may be cut; the last one that was needed. */
  #known: number;
  #tooMany = false;

  constructor(line: Buffer, literal: Literal, detection: Detection, work: Work) {
    this.#line = line;
    this.#literal = literal;
    this.#detection = detection;
    this.#work = work;
    this.#known = literal.open;
  }

  /** In bytes of the line. */
  spans(): Span[] {
    const { open, close } = this.#literal;
    if (this.#tooMany) return [{ start: open + 1, end: close, rule: TOO_MANY }];
    return merge(this.#found, this.#detection.isGeneric);
  }

  byKey(key: string): void {
    const { open, close } = this.#literal;
    if (close - open > CHUNK) return;
    this.#countLooks(1);
    const rule = ruleOfMember(key, textOf(this.#line, open + 1, close));
    if (rule === null || !this.#detection.isEnabled(rule)) return;
    this.#found.push({ start: open + 1, end: close, rule: rule.id });
  }

  *atHits(hits: readonly number[], first: number): Generator<void> {
    const { open, close } = this.#literal;
    for (let index = first; index < hits.length && (hits[index] as number) < close; index += 2) {
      const to = Math.min(hits[index + 1] as number, close);
      for (let from = Math.max(hits[index] as number, open); from <= to; from += CHUNK) {
        this.#around(from, Math.min(to, from + CHUNK));
        if (this.#tooMany) return;
        this.#work.check();
        yield;
      }
    }
  }

  *byPatterns(): Generator<void> {
    const { open, close } = this.#literal;
    for (let from = open + 1; from < close && !this.#tooMany; from += PATTERN_CHUNK) {
      const start = this.#boundary(from - PATTERN_OVERLAP);
      const end = this.#end(from + PATTERN_CHUNK + PATTERN_OVERLAP);
      for (const view of viewsOf(this.#line, Math.max(start, open + 1), end)) this.#match(view);
      yield;
    }
  }

  /** @param from, to where needles may begin */
  #around(from: number, to: number): void {
    const start = this.#boundary(from - BEFORE);
    let behind = BEHIND;
    for (let attempt = 0; attempt < 2; attempt++) {
      const end = this.#end(to + behind);
      const ends = end === this.#literal.close;
      const missing = this.#look(start, end, to, ends, ends || attempt === 1);
      if (missing === 0) return;
      behind += Math.ceil(missing * STRETCH) + BEHIND;
    }
  }

  /**
   * Lets the rules look at one piece.
   *
   * @returns how many characters rules have to see besides, in which case nothing was taken of it
   */
  #look(start: number, end: number, to: number, ends: boolean, isLast: boolean): number {
    const found: Span[] = [];
    let missing = 0;
    for (const view of viewsOf(this.#line, start, end)) {
      const subject = { ...view, ends };
      this.#detection.scanner.scan(view.bytes, 0, view.bytes.length, (at, { rule }) => {
        if (rule === ESCAPES || (view.map[at] as number) > to + SLACK) return;
        missing = Math.max(missing, at + rule.reach - view.text.length);
        if (!isLast && missing > 0) return;
        missing = Math.max(missing, this.#find(rule, subject, at, found));
      });
    }
    if (missing > 0 && !isLast) return missing;
    this.#found.push(...found);
    return 0;
  }

  /** @returns how many characters it has to see besides */
  #find(rule: Rule, subject: Subject, at: number, found: Span[]): number {
    if (this.#tooMany) return 0;
    const spans = rule.find(subject, at);
    this.#countLooks(1 + spans.length);
    for (const span of spans) found.push(this.#inLine(span, subject));
    return spans === MORE ? MORE_CHARACTERS : 0;
  }

  #match(view: View): void {
    for (const { id, expression } of this.#detection.patterns) {
      this.#work.checkClock();
      for (const match of view.text.matchAll(expression)) {
        this.#countLooks(1);
        if (this.#tooMany) return;
        const start = match.index;
        if (match[0] !== "") {
          this.#found.push(this.#inLine({ start, end: start + match[0].length, rule: id }, view));
        }
      }
    }
  }

  #countLooks(count: number): void {
    this.#work.addLooks(count);
    if (this.#work.isExhausted) this.#tooMany = true;
  }

  /** Neither quote of the literal belongs to what is in it. */
  #inLine({ start, end, rule }: Span, { map }: View): Span {
    const { open, close } = this.#literal;
    return {
      start: Math.max(map[start] ?? 0, open + 1),
      end: Math.min(map[end] ?? close, close),
      rule,
    };
  }

  #boundary(from: number): number {
    const { open, close } = this.#literal;
    if (from <= open) return open;
    this.#known = boundary(this.#line, this.#known, from, close);
    return this.#known;
  }

  #end(to: number): number {
    const { close } = this.#literal;
    return to >= close ? close : Math.min(close, boundary(this.#line, this.#known, to, close));
  }
}
