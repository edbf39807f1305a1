import { type CompiledNeedle, compileNeedle, WINDOW } from "./needles.ts";
import type { Rule } from "./rule.ts";

/** A pair of bytes as an index: two times seven bits, so that the tables stay in the cache. */
const PAIRS = 1 << 14;
const LAST = WINDOW - 1;

/**
 * Told of a needle with what it takes around it. Gives the offset to go on from, which may be behind
 * what follows it.
 */
export type OnNeedle = (at: number, needle: CompiledNeedle) => number;

/**
 * Finds the needles of all rules in one pass over bytes: Wu-Manber, with pairs of bytes and windows of
 * four. Where the pair at hand ends no window, it steps over as many bytes as it can.
 */
export class Scanner {
  readonly #steps = new Uint8Array(PAIRS).fill(LAST);
  /** Index into `#lists` for pairs that end a window. */
  readonly #ends = new Uint16Array(PAIRS);
  readonly #lists: CompiledNeedle[][] = [[]];

  constructor(rules: readonly Rule[]) {
    for (const rule of rules) {
      for (const needle of rule.needles) this.#add(compileNeedle(rule, needle));
    }
  }

  /** Calls for each needle in ascending order of the ends of their windows. */
  scan(bytes: Uint8Array, from: number, to: number, onNeedle: OnNeedle): void {
    const steps = this.#steps;
    for (let at = from + LAST; at < to; ) {
      const pair = ((bytes[at - 1] as number) & 127) | (((bytes[at] as number) & 127) << 7);
      const step = steps[pair] as number;
      at = step === 0 ? this.#check(bytes, at, pair, onNeedle) : at + step;
    }
  }

  /** @returns where to look next */
  #check(bytes: Uint8Array, at: number, pair: number, onNeedle: OnNeedle): number {
    let next = at + 1;
    for (const needle of this.#lists[this.#ends[pair] as number] as CompiledNeedle[]) {
      const start = at - LAST - needle.window;
      const end = start + needle.tables.length;
      if (isAt(bytes, start, needle.tables) && needle.verify(bytes, start, end)) {
        next = Math.max(next, onNeedle(start, needle));
      }
    }
    return next;
  }

  #add(needle: CompiledNeedle): void {
    for (let end = 1; end < WINDOW; end++) {
      for (const first of needle.windowPlaces[end - 1] ?? []) {
        for (const second of needle.windowPlaces[end] ?? []) {
          const pair = (first & 127) | ((second & 127) << 7);
          this.#steps[pair] = Math.min(this.#steps[pair] ?? LAST, LAST - end);
          if (end === LAST) this.#list(pair, needle);
        }
      }
    }
  }

  #list(pair: number, needle: CompiledNeedle): void {
    let index = this.#ends[pair] ?? 0;
    if (index === 0) {
      index = this.#lists.length;
      this.#ends[pair] = index;
      this.#lists.push([]);
    }
    const list = this.#lists[index] ?? [];
    if (list.at(-1) !== needle) list.push(needle);
  }
}

function isAt(bytes: Uint8Array, start: number, tables: readonly Uint8Array[]): boolean {
  if (start < 0) return false;
  for (let place = 0; place < tables.length; place++) {
    if ((tables[place] as Uint8Array)[bytes[start + place] ?? 0] !== 1) return false;
  }
  return true;
}
