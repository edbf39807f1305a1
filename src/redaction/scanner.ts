import { type CompiledNeedle, compileNeedle, WINDOW } from "./needles.ts";
import type { Rule } from "./rule.ts";

/** Pairs of bytes as an index, seven bits of each, so that the tables stay in the cache. */
const PAIRS = 1 << 14;
const LAST = WINDOW - 1;

/** Right behind a needle none is looked for: what is there is searched anyway. */
const STRIDE = 128;

/** Needles that are nearer to each other are searched as one piece. */
const NEAR = 512;

/** Told of a needle with what it takes around it. @param at offset of the needle */
export type OnNeedle = (at: number, needle: CompiledNeedle) => void;

/**
 * Finds the needles of all rules in one pass over bytes: Wu-Manber, with pairs of bytes and windows of
 * four. Where the pair at hand ends no window, it steps over as many bytes as it can.
 */
export class Scanner {
  readonly #steps = new Uint8Array(PAIRS).fill(LAST);
  /** The same for where a window has ended that was looked at already. */
  readonly #nextSteps = new Uint8Array(PAIRS).fill(LAST);
  /** Index into `#lists` for pairs that end a window. */
  readonly #ends = new Uint16Array(PAIRS);
  readonly #lists: CompiledNeedle[][] = [[]];
  /**
   * Eight bits for each pair: in which groups of lists it begins a window. Most stops are for nothing, and end
   * with a look at this.
   */
  readonly #begins = new Uint8Array(PAIRS);
  /** The bit of the list of a pair that ends a window. */
  readonly #groups = new Uint8Array(PAIRS);

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) {
      for (const needle of rule.needles) this.#add(compileNeedle(rule, needle));
    }
  }

  /** Calls for each needle, in ascending order of the ends of their windows. */
  scan(bytes: Uint8Array, from: number, to: number, onNeedle: OnNeedle): void {
    const steps = this.#steps;
    for (let at = from + LAST; at < to; ) {
      const step = steps[pairAt(bytes, at)] as number;
      at += step === 0 ? this.#check(bytes, at, onNeedle) : step;
    }
  }

  /**
   * Where needles are, as pairs of offsets in ascending order: between the two of a pair. Four places are read in turn,
   * because each step waits for what was read, and the processor can wait for four at a time.
   */
  hits(bytes: Uint8Array, from: number, to: number): number[] {
    const steps = this.#steps;
    const lane = (to - from) >> 2;
    const [a, b, c, d]: [Hits, Hits, Hits, Hits] = [[], [], [], []];
    const [bFrom, cFrom, dFrom] = [from + lane, from + 2 * lane, from + 3 * lane];
    let [aAt, bAt, cAt, dAt] = [from + LAST, bFrom, cFrom, dFrom];
    if (lane > WINDOW) {
      while (aAt < bFrom && bAt < cFrom && cAt < dFrom && dAt < to) {
        const aStep = steps[pairAt(bytes, aAt)] as number;
        const bStep = steps[pairAt(bytes, bAt)] as number;
        const cStep = steps[pairAt(bytes, cAt)] as number;
        const dStep = steps[pairAt(bytes, dAt)] as number;
        aAt += aStep === 0 ? this.#stop(bytes, aAt, a) : aStep;
        bAt += bStep === 0 ? this.#stop(bytes, bAt, b) : bStep;
        cAt += cStep === 0 ? this.#stop(bytes, cAt, c) : cStep;
        dAt += dStep === 0 ? this.#stop(bytes, dAt, d) : dStep;
      }
      this.#rest(bytes, aAt, bFrom, a);
      this.#rest(bytes, bAt, cFrom, b);
      this.#rest(bytes, cAt, dFrom, c);
      this.#rest(bytes, dAt, to, d);
    } else {
      this.#rest(bytes, aAt, to, a);
    }
    return joined([a, b, c, d]);
  }

  #rest(bytes: Uint8Array, from: number, to: number, hits: Hits): void {
    const steps = this.#steps;
    for (let at = from; at < to; ) {
      const step = steps[pairAt(bytes, at)] as number;
      at += step === 0 ? this.#stop(bytes, at, hits) : step;
    }
  }

  /** @returns the step to the next place to look at */
  #stop(bytes: Uint8Array, at: number, hits: Hits): number {
    const pair = pairAt(bytes, at);
    const group = this.#groups[pair] as number;
    if (((this.#begins[pairAt(bytes, at - 2)] as number) & group) !== 0) {
      for (const needle of this.#listOf(pair)) {
        if (startOf(bytes, at, needle) === -1) continue;
        hits.push(at - LAST - Math.max(0, needle.window), at + STRIDE);
        return STRIDE;
      }
    }
    return this.#nextSteps[pair] as number;
  }

  /** @returns the step to the next place to look at */
  #check(bytes: Uint8Array, at: number, onNeedle: OnNeedle): number {
    const pair = pairAt(bytes, at);
    for (const needle of this.#listOf(pair)) {
      const start = startOf(bytes, at, needle);
      if (start !== -1) onNeedle(start, needle);
    }
    return this.#nextSteps[pair] as number;
  }

  #listOf(pair: number): readonly CompiledNeedle[] {
    return this.#lists[this.#ends[pair] as number] as CompiledNeedle[];
  }

  #add(needle: CompiledNeedle): void {
    for (let end = 1; end < WINDOW; end++) {
      for (const pair of pairsOf(needle, end)) {
        const step = LAST - end;
        this.#steps[pair] = Math.min(this.#steps[pair] as number, step);
        if (step === 0) this.#list(pair, needle);
        else this.#nextSteps[pair] = Math.min(this.#nextSteps[pair] as number, step);
      }
    }
  }

  #list(pair: number, needle: CompiledNeedle): void {
    if (this.#ends[pair] === 0) this.#ends[pair] = this.#lists.push([]) - 1;
    const index = this.#ends[pair] as number;
    const list = this.#lists[index] as CompiledNeedle[];
    if (list.at(-1) === needle) return;
    list.push(needle);
    const group = 1 << (index & 7);
    this.#groups[pair] = group;
    for (const first of pairsOf(needle, 1)) {
      this.#begins[first] = (this.#begins[first] as number) | group;
    }
  }
}

/** Pairs of offsets. */
type Hits = number[];

/** The pair that ends at an offset. */
function pairAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at - 1] as number) & 127) | (((bytes[at] as number) & 127) << 7);
}

/** Each pair that may stand in a needle's window with its second byte at `end`. */
function* pairsOf({ windowPlaces }: CompiledNeedle, end: number): Generator<number> {
  for (const first of windowPlaces[end - 1] ?? []) {
    for (const second of windowPlaces[end] ?? []) yield (first & 127) | ((second & 127) << 7);
  }
}

/** Offset of the needle whose window ends at `at`, or -1 when it is none. */
function startOf(
  bytes: Uint8Array,
  at: number,
  { tables, window, verify }: CompiledNeedle,
): number {
  const start = at - LAST - window;
  if (start < 0) return -1;
  for (let place = 0; place < tables.length; place++) {
    if ((tables[place] as Uint8Array)[bytes[start + place] ?? 0] !== 1) return -1;
  }
  return verify(bytes, start, start + tables.length) ? start : -1;
}

/** All of them, with those that are near to each other as one. */
function joined(lanes: readonly Hits[]): Hits {
  const all: Hits = [];
  for (const lane of lanes) {
    for (let next = 0; next < lane.length; next += 2) {
      const [start, end] = [lane[next] as number, lane[next + 1] as number];
      const last = all.length - 1;
      if (last > 0 && start - (all[last] as number) <= NEAR) {
        all[last] = Math.max(all[last] as number, end);
      } else all.push(start, end);
    }
  }
  return all;
}
