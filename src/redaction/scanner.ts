import { type CompiledNeedle, compileNeedle, PAIRS, pairOf, WINDOW } from "./needles.ts";
import type { Rule } from "./rule.ts";

const LAST = WINDOW - 1;

/** The windows of needles, by a hash of this many bits: one in forty of its values is taken. */
const WINDOW_BITS = 19;

/** Right behind a needle none is looked for: what is there is searched anyway. */
const STRIDE = 128;

/** Needles that are nearer to each other are searched as one piece. */
const NEAR = 512;

/** Bits of a step; what is above them says that the pair ends a window. */
const STEP = 3;
const STOP_SHIFT = 2;

/** Told of a needle with what it takes around it. @param at offset of the needle */
export type OnNeedle = (at: number, needle: CompiledNeedle) => void;

/**
 * Finds the needles of all rules in one pass over bytes: Wu-Manber, with pairs of bytes and windows of
 * four. From each pair it steps over as many bytes as it can; where one ends a window, the place is noted.
 */
export class Scanner {
  /** For each pair, how far to step, and whether to note the place. */
  readonly #steps = new Uint8Array(PAIRS).fill(LAST);
  /** Eight to a byte. */
  readonly #windows = new Uint8Array(1 << (WINDOW_BITS - 3));
  /** Index into `#lists` for pairs that end a window. */
  readonly #ends = new Uint16Array(PAIRS);
  readonly #lists: CompiledNeedle[][] = [[]];
  /** Places that were noted, each lane's in a part of its own. */
  #stops = new Uint32Array(0);

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) {
      for (const needle of rule.needles) this.#add(compileNeedle(rule, needle));
    }
  }

  /** Calls for each needle, in ascending order of the ends of their windows. */
  scan(bytes: Uint8Array, from: number, to: number, onNeedle: OnNeedle): void {
    const view = viewOf(bytes);
    let step = 0;
    for (let at = from + LAST; at < to; at += step & STEP) {
      step = this.#stepAt(view, at);
      if (step >> STOP_SHIFT === 0 || !this.#isWindow(view, at)) continue;
      for (const needle of this.#listAt(view, at)) {
        const start = startOf(bytes, at, needle);
        if (start !== -1) onNeedle(start, needle);
      }
    }
  }

  /**
   * Where needles are, as pairs of offsets in ascending order: between the two of a pair.
   *
   * Four places are read in turn, because each step waits for what was read, and the processor can wait for four at a
   * time. Nothing is decided on the way: the place is written down each time, and the next one over it unless it counts.
   * A branch that goes either way would cost more than all the rest.
   */
  hits(bytes: Uint8Array, from: number, to: number): number[] {
    const view = viewOf(bytes);
    const steps = this.#steps;
    const lane = Math.max(WINDOW, (to - from) >> 2);
    const stops = this.#roomFor(4 * lane);
    const bFrom = Math.min(to, from + lane);
    const cFrom = Math.min(to, bFrom + lane);
    const dFrom = Math.min(to, cFrom + lane);
    let [aAt, bAt, cAt, dAt] = [from + LAST, bFrom, cFrom, dFrom];
    let [a, b, c, d] = [0, lane, 2 * lane, 3 * lane];
    while (aAt < bFrom && bAt < cFrom && cAt < dFrom && dAt < to) {
      const aStep = steps[pairAt(view, aAt)] as number;
      const bStep = steps[pairAt(view, bAt)] as number;
      const cStep = steps[pairAt(view, cAt)] as number;
      const dStep = steps[pairAt(view, dAt)] as number;
      stops[a] = aAt;
      stops[b] = bAt;
      stops[c] = cAt;
      stops[d] = dAt;
      a += aStep >> STOP_SHIFT;
      b += bStep >> STOP_SHIFT;
      c += cStep >> STOP_SHIFT;
      d += dStep >> STOP_SHIFT;
      aAt += aStep & STEP;
      bAt += bStep & STEP;
      cAt += cStep & STEP;
      dAt += dStep & STEP;
    }
    const hits: number[] = [];
    this.#check(bytes, 0, this.#rest(view, aAt, bFrom, a), hits);
    this.#check(bytes, lane, this.#rest(view, bAt, cFrom, b), hits);
    this.#check(bytes, 2 * lane, this.#rest(view, cAt, dFrom, c), hits);
    this.#check(bytes, 3 * lane, this.#rest(view, dAt, to, d), hits);
    return hits;
  }

  #roomFor(stops: number): Uint32Array {
    if (this.#stops.length < stops) this.#stops = new Uint32Array(stops);
    return this.#stops;
  }

  /** Ends the walk through one lane. @returns the end of its part of the stops */
  #rest(view: DataView, from: number, to: number, part: number): number {
    let stop = part;
    for (let at = from; at < to; ) {
      const step = this.#stepAt(view, at);
      this.#stops[stop] = at;
      stop += step >> STOP_SHIFT;
      at += step & STEP;
    }
    return stop;
  }

  /** Adds where there is a needle at the stops of one lane. */
  #check(bytes: Uint8Array, from: number, to: number, hits: number[]): void {
    const view = viewOf(bytes);
    let next = 0;
    for (let stop = from; stop < to; stop++) {
      const at = this.#stops[stop] as number;
      if (at < next || !this.#isWindow(view, at)) continue;
      for (const needle of this.#listAt(view, at)) {
        if (startOf(bytes, at, needle) === -1) continue;
        next = at + STRIDE;
        addHit(hits, at - LAST - Math.max(0, needle.window), next);
        break;
      }
    }
  }

  #stepAt(view: DataView, at: number): number {
    return this.#steps[pairAt(view, at)] as number;
  }

  /** Whether a window of some needle may end here: seldom said in vain. */
  #isWindow(view: DataView, at: number): boolean {
    const hash = hashOf(view.getUint32(at - LAST, true) & SEVEN_BITS);
    return (((this.#windows[hash >> 3] as number) >> (hash & 7)) & 1) === 1;
  }

  /** The needles whose windows end with the pair that ends here. */
  #listAt(view: DataView, at: number): readonly CompiledNeedle[] {
    return this.#lists[this.#ends[pairAt(view, at)] as number] as CompiledNeedle[];
  }

  #add(needle: CompiledNeedle): void {
    const firsts = [...pairsOf(needle, 1)];
    for (const pair of pairsOf(needle, 2)) this.#shorten(pair, 1);
    for (const pair of firsts) this.#shorten(pair, 2);
    for (const pair of pairsOf(needle, LAST)) {
      this.#list(pair, needle);
      for (const first of firsts) this.#noteWindow(bytesOf(first) | (bytesOf(pair) << 16));
    }
  }

  #shorten(pair: number, step: number): void {
    const old = this.#steps[pair] as number;
    this.#steps[pair] = (old & ~STEP) | Math.min(old & STEP, step);
  }

  #noteWindow(window: number): void {
    const hash = hashOf(window);
    this.#windows[hash >> 3] = (this.#windows[hash >> 3] as number) | (1 << (hash & 7));
  }

  #list(pair: number, needle: CompiledNeedle): void {
    if (this.#ends[pair] === 0) this.#ends[pair] = this.#lists.push([]) - 1;
    this.#steps[pair] = (this.#steps[pair] as number) | (1 << STOP_SHIFT);
    const list = this.#lists[this.#ends[pair] as number] as CompiledNeedle[];
    if (list.at(-1) !== needle) list.push(needle);
  }
}

/** Two or four bytes at once are read faster this way than one by one. */
const viewOf = ({ buffer, byteOffset, length }: Uint8Array): DataView =>
  new DataView(buffer, byteOffset, length);

/** The pair that ends at an offset, as `pairOf` has it. */
function pairAt(view: DataView, at: number): number {
  const bytes = view.getUint16(at - 1, true);
  return (bytes & 127) | ((bytes >> 1) & (127 << 7));
}

/** The same, a byte each again. */
const bytesOf = (pair: number): number => (pair & 127) | ((pair >> 7) << 8);

/** Of four bytes, as far as they are told from each other. */
const SEVEN_BITS = 0x7f7f7f7f;

/** Of the bytes of a window. */
function hashOf(window: number): number {
  // The golden ratio, which spreads what differs little: Knuth, The Art of Computer Programming, 6.4.
  return Math.imul(window, 0x9e3779b1) >>> (32 - WINDOW_BITS);
}

/** Each pair that may stand in a needle's window with its second byte at `end`. */
function* pairsOf({ windowPlaces }: CompiledNeedle, end: number): Generator<number> {
  for (const first of windowPlaces[end - 1] ?? []) {
    for (const second of windowPlaces[end] ?? []) yield pairOf(first, second);
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

/** One that is near to the last one becomes a part of it. */
function addHit(hits: number[], start: number, end: number): void {
  const last = hits.length - 1;
  if (last > 0 && start - (hits[last] as number) <= NEAR) {
    hits[last] = Math.max(hits[last] as number, end);
  } else hits.push(start, end);
}
