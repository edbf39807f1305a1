import { setImmediate as nextTurn } from "node:timers/promises";
import { parseJson } from "../shared/json.ts";
import { identityOf } from "./identity.ts";
import { compilePatterns, type PatternOption, type PatternProblem } from "./patterns.ts";
import { marker, type Rule, type Span } from "./rule.ts";
import { RULES } from "./rules/all.ts";
import { ESCAPES } from "./rules/escape.ts";
import { Scanner } from "./scanner.ts";
import { type Detection, searchLine } from "./search.ts";
import { TOO_MANY } from "./spans.ts";
import { VALUE_RULE, valueRule } from "./values.ts";
import { OverrunError, Work } from "./work.ts";

export interface RedactorOptions {
  /** Ids of rules that are not applied. */
  readonly disable?: readonly string[];
  /** Patterns of the user's own; each must be one that `compilePatterns` takes. */
  readonly patterns?: readonly PatternOption[];
  /** Exact values that must never leave, wherever they are; shorter ones than 6 characters are not looked for. */
  readonly values?: readonly string[];
  /** One more of them, which is no part of the identity. */
  readonly apiKey?: string;
  /** Random bytes of this machine for the {@link Redactor.identity}, see `identityOf`. */
  readonly identitySecret: Uint8Array;
  /** What one line may take, in ms of this thread's CPU. @default 5000 */
  readonly lineBudgetMs?: number;
  /** CPU time of this thread in ms. */
  readonly cpuMs?: () => number;
}

/** A secret that was found; never the secret itself. */
export interface Finding {
  readonly rule: string;
  /** In bytes of the line as it was. */
  readonly start: number;
  readonly end: number;
}

/** Why a line was left out instead of being redacted. */
export type OmittedReason = "redaction-failed" | "redaction-timeout";

/** A line that is not sent as it was. */
export interface ChangedLine {
  /** Which of the block's payloads. */
  readonly index: number;
  readonly findings: readonly Finding[];
  /** Set when no more is sent of it than its length. */
  readonly omitted?: OmittedReason;
}

export interface RedactedBlock {
  /** The block itself when nothing in it has changed. */
  readonly bytes: Buffer;
  readonly changed: readonly ChangedLine[];
}

/** Bytes that are scanned before other work may go on: some ms. */
const SCAN_BYTES = 128 * 1024;

/** How long other work may have to wait while lines are searched. */
const TURN_MS = 5;

/** The longest part of a needle that is looked at first. */
const OVERLAP = 3;

const LINE_BUDGET_MS = 5000;

const NEWLINE = 0x0a;

const UNCHANGED: readonly ChangedLine[] = [];

/** Ids that the config may name to switch rules off. */
export const RULE_IDS: ReadonlySet<string> = new Set(RULES.map(({ id }) => id));

const TAKEN = new Set([...RULE_IDS, VALUE_RULE, TOO_MANY]);

/** What a pattern of a config is refused for. */
export function patternProblems(options: readonly PatternOption[]): PatternProblem[] {
  return compilePatterns(options, TAKEN).problems;
}

/**
 * Takes credentials out of lines of JSON, and changes nothing else of them. A line that cannot be
 * searched is left out.
 */
export class Redactor {
  /** See `identityOf`. */
  readonly identity: string;
  readonly #detection: Detection;
  readonly #lineBudgetMs: number;
  readonly #cpuMs: () => number;

  /** @throws {TypeError} for a pattern that is refused */
  constructor(options: RedactorOptions) {
    const { disable = [], patterns = [], values = [], apiKey = "", identitySecret } = options;
    const compiled = compilePatterns(patterns, TAKEN);
    const [problem] = compiled.problems;
    if (problem !== undefined) {
      throw new TypeError(`pattern ${problem.index}: expected ${problem.expected}`);
    }
    this.#detection = detectionOf(disable, compiled.patterns, [...values, apiKey]);
    this.#lineBudgetMs = options.lineBudgetMs ?? LINE_BUDGET_MS;
    this.#cpuMs = options.cpuMs ?? threadCpuMs;
    this.identity = identityOf({ disable, patterns, values, identitySecret });
  }

  /**
   * Redacts the payloads of a block of lines. Resolves within one turn of the event loop for a block of usual
   * size with little to find; lets others work in between otherwise.
   *
   * @param block is not changed
   * @param payloads offsets at which payloads begin and end, in turn, ascending; each a JSON text on one line
   */
  async redact(block: Buffer, payloads: readonly number[]): Promise<RedactedBlock> {
    const turn = new Turn();
    const hits = await this.#scan(block, turn).catch(() => [0, block.length]);
    if (hits.length === 0 && this.#detection.patterns.length === 0) {
      return { bytes: block, changed: UNCHANGED };
    }
    const changed: ChangedLine[] = [];
    const pieces: Buffer[] = [];
    let copied = 0;
    let next = 0;
    for (let index = 0; index * 2 < payloads.length; index++) {
      const start = payloads[index * 2] ?? 0;
      const end = payloads[index * 2 + 1] ?? 0;
      while (next < hits.length && (hits[next + 1] as number) < start) next += 2;
      const own = hitsWithin(hits, next, start, end);
      if (own.length === 0 && this.#detection.patterns.length === 0) continue;
      const line = block.subarray(start, end);
      const result = await this.#line(line, own, turn);
      if (result === undefined) continue;
      changed.push({ index, ...result.change });
      pieces.push(block.subarray(copied, start), result.bytes);
      copied = end;
    }
    if (changed.length === 0) return { bytes: block, changed: UNCHANGED };
    return { bytes: Buffer.concat([...pieces, block.subarray(copied)]), changed };
  }

  /** Pairs of offsets between which there are needles. */
  async #scan(block: Buffer, turn: Turn): Promise<number[]> {
    const hits: number[] = [];
    // Views are plain arrays as well: code that sees both kinds is compiled again and again.
    const bytes = new Uint8Array(block.buffer, block.byteOffset, block.length);
    for (let from = 0; from < block.length; from += SCAN_BYTES) {
      const to = Math.min(block.length, from + SCAN_BYTES);
      // A needle may lie on both sides of the cut.
      for (const hit of this.#detection.scanner.hits(bytes, Math.max(0, from - OVERLAP), to)) {
        hits.push(hit);
      }
      if (turn.isOver) await turn.pause();
    }
    return hits;
  }

  /** Undefined when the line stays as it is. */
  async #line(line: Buffer, hits: readonly number[], turn: Turn): Promise<LineResult | undefined> {
    try {
      const work = new Work(this.#cpuMs, this.#lineBudgetMs);
      const search = searchLine(line, hits, this.#detection, work);
      let step = search.next();
      for (; step.done !== true; step = search.next()) {
        if (turn.isOver) await turn.pause();
      }
      if (step.value.length === 0) return undefined;
      // Parsing a long line cannot be interrupted: it gets a turn of its own.
      if (line.length > SCAN_BYTES) await turn.pause();
      return replaced(line, step.value);
    } catch (error) {
      // Whatever was thrown: it may hold a piece of the line, so nothing of it is told.
      return omitted(
        line,
        error instanceof OverrunError ? "redaction-timeout" : "redaction-failed",
      );
    }
  }
}

function detectionOf(
  disable: readonly string[],
  patterns: Detection["patterns"],
  values: readonly string[],
): Detection {
  const rules = RULES.filter(({ id }) => !disable.includes(id));
  const ofValues = valueRule(values);
  const generic = new Set(rules.filter((rule) => rule.generic).map(({ id }) => id));
  return {
    scanner: new Scanner([ESCAPES, ...rules, ...(ofValues === undefined ? [] : [ofValues])]),
    patterns,
    isEnabled: (rule: Rule) => rules.includes(rule),
    isGeneric: (id) => generic.has(id),
  };
}

/** Relative to the payload. */
function hitsWithin(hits: readonly number[], from: number, start: number, end: number): number[] {
  const own: number[] = [];
  for (let next = from; next < hits.length && (hits[next] as number) < end; next += 2) {
    own.push(Math.max(0, (hits[next] as number) - start), (hits[next + 1] as number) - start);
  }
  return own;
}

interface LineResult {
  readonly bytes: Buffer;
  readonly change: Omit<ChangedLine, "index">;
}

/** @throws when what came out is no JSON on one line, which only a defect can cause */
function replaced(line: Buffer, spans: readonly Span[]): LineResult {
  const pieces: Buffer[] = [];
  let copied = 0;
  for (const { start, end, rule } of spans) {
    pieces.push(line.subarray(copied, start), Buffer.from(marker(rule)));
    copied = end;
  }
  const bytes = Buffer.concat([...pieces, line.subarray(copied)]);
  if (bytes.includes(NEWLINE) || parseJson(bytes.toString()) === undefined) {
    throw new Error("the redacted line is no JSON");
  }
  const findings = spans.map(({ rule, start, end }) => ({ rule, start, end }));
  return { bytes, change: { findings } };
}

function omitted(line: Buffer, reason: OmittedReason): LineResult {
  const record = JSON.stringify({ omitted: { reason, bytes: line.length } });
  return { bytes: Buffer.from(record), change: { findings: [], omitted: reason } };
}

function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
}

/** Gives way to other work once it has had to wait for some time. */
class Turn {
  #start = performance.now();

  get isOver(): boolean {
    return performance.now() - this.#start >= TURN_MS;
  }

  async pause(): Promise<void> {
    await nextTurn();
    this.#start = performance.now();
  }
}
