/**
 * A piece of a string of JSON as it reads once its escapes are undone, with the place that each
 * character comes from. Rules see only views, so that no rule need know of escapes.
 */
export interface View {
  readonly text: string;
  /** The text for the scanner, a byte a character: those above U+00FF are {@link OTHER}. */
  readonly bytes: Uint8Array;
  /** Offset in the line of each character, and of what follows the last one. */
  readonly map: Uint32Array;
}

/** Stands for characters that no rule asks for. */
const OTHER = 0x80;

/** How the scanner sees a character of a view. */
export const byteOf = (unit: number): number => (unit > 0xff ? OTHER : unit);

const BACKSLASH = 0x5c;
const SMALL_U = 0x75;
const PERCENT = 0x25;

/** Undone one after the other: JSON in a string of JSON in a string of JSON, and once more. */
const MAX_DEPTH = 4;

/** The same for percent-encoding, as of a URL in a URL. */
const MAX_PERCENT = 2;

/** Collects the characters of a view. */
class Builder {
  readonly #units: Uint16Array;
  readonly #bytes: Uint8Array;
  readonly #map: Uint32Array;
  #length = 0;
  #highest = 0;

  /** @param most characters there can be */
  constructor(most: number) {
    this.#units = new Uint16Array(most);
    this.#bytes = new Uint8Array(most);
    this.#map = new Uint32Array(most + 1);
  }

  add(unit: number, from: number): void {
    const at = this.#length++;
    this.#units[at] = unit;
    this.#bytes[at] = byteOf(unit);
    this.#map[at] = from;
    if (unit > this.#highest) this.#highest = unit;
  }

  /** Both halves of a character beyond 16 bits come from the same place. */
  addPoint(point: number, from: number): void {
    if (point > 0xffff) this.add(0xd800 + ((point - 0x10000) >> 10), from);
    this.add(point > 0xffff ? 0xdc00 + (point & 0x3ff) : point, from);
  }

  /** @param end offset in the line of what follows */
  view(end: number): View {
    const length = this.#length;
    this.#map[length] = end;
    const bytes = this.#bytes.subarray(0, length);
    const units = this.#units;
    const text =
      this.#highest > 0xff
        ? Buffer.from(units.buffer, units.byteOffset, length * 2).toString("utf16le")
        : Buffer.from(bytes.buffer, bytes.byteOffset, length).toString("latin1");
    return { text, bytes, map: this.#map.subarray(0, length + 1) };
  }
}

/**
 * The views of a part of a string's literal: with its own escapes undone, then with those of the
 * JSON in it and so on, and last with percent-encoding undone.
 *
 * @param start neither within an escape nor within a character
 */
export function viewsOf(line: Buffer, start: number, end: number): View[] {
  const first = firstView(line, start, end);
  const views = [first];
  for (let last = first; views.length < MAX_DEPTH && last.text.includes("\\"); ) {
    last = unescaped(last);
    views.push(last);
  }
  const deepest = views.at(-1) ?? first;
  for (let last = deepest, k = 0; k < MAX_PERCENT && /%[0-9A-Fa-f]{2}/.test(last.text); k++) {
    last = percentDecoded(last);
    views.push(last);
  }
  return views;
}

/** With the string's own escapes undone, as it is meant. */
function firstView(line: Buffer, start: number, end: number): View {
  const builder = new Builder(end - start);
  for (let at = start; at < end; ) {
    const byte = byteAt(line, at);
    if (byte === BACKSLASH && at + 1 < end) {
      at += addEscape(builder, line, at, end);
    } else if (byte < 0x80) {
      builder.add(byte, at++);
    } else {
      const length = lengthOf(byte);
      builder.addPoint(pointAt(line, at, length), at);
      at += length;
    }
  }
  return builder.view(end);
}

/** @returns how many bytes it is written with */
function addEscape(builder: Builder, line: Buffer, at: number, end: number): number {
  const next = byteAt(line, at + 1);
  const point =
    next === SMALL_U ? hexAt(line.toString("latin1", at + 2, Math.min(end, at + 6)), 0, 4) : -1;
  builder.add(point === -1 ? meantBy(next) : point, at);
  return point === -1 ? 2 : 6;
}

/** The text alone, which most often is what is written. */
export function textOf(line: Buffer, start: number, end: number): string {
  const written = line.toString("latin1", start, end);
  return /^[ !#-[\]-~]*$/.test(written) ? written : firstView(line, start, end).text;
}

/** The character of UTF-8 that begins at an offset. */
function pointAt(line: Buffer, at: number, length: number): number {
  let point = byteAt(line, at) & (length === 1 ? 0xff : 0xff >> (length + 1));
  for (let k = 1; k < length; k++) point = (point << 6) | (byteAt(line, at + k) & 0x3f);
  return point;
}

/** Bytes of a character of UTF-8, by its first one. */
function lengthOf(byte: number): number {
  if (byte < 0xc0) return 1;
  return byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
}

/** What each character stands for behind a backslash in JSON: most for themselves. */
const MEANT = Uint8Array.from({ length: 128 }, (_, unit) => unit);
for (const [letter, meant] of Object.entries({ n: 10, r: 13, t: 9, b: 8, f: 12 })) {
  MEANT[letter.charCodeAt(0)] = meant;
}

const meantBy = (unit: number): number => MEANT[unit] ?? unit;

function unescaped({ text, map }: View): View {
  const builder = new Builder(text.length);
  for (let at = 0; at < text.length; ) {
    const from = map[at] ?? 0;
    const unit = text.charCodeAt(at);
    if (unit !== BACKSLASH || at + 1 === text.length) {
      builder.add(unit, from);
      at++;
      continue;
    }
    const next = text.charCodeAt(at + 1);
    const point = next === SMALL_U ? hexAt(text, at + 2, 4) : -1;
    builder.add(point === -1 ? meantBy(next) : point, from);
    at += point === -1 ? 2 : 6;
  }
  return builder.view(map[text.length] ?? 0);
}

function percentDecoded({ text, map }: View): View {
  const builder = new Builder(text.length);
  for (let at = 0; at < text.length; ) {
    const from = map[at] ?? 0;
    const [point, length] = percentPoint(text, at);
    builder.addPoint(point, from);
    at += length;
  }
  return builder.view(map[text.length] ?? 0);
}

/** The character that begins at an offset, and how many it is written with. */
function percentPoint(text: string, at: number): [point: number, length: number] {
  const unit = text.charCodeAt(at);
  const byte = unit === PERCENT ? hexAt(text, at + 1, 2) : -1;
  if (byte === -1) return [unit, 1];
  const bytes = lengthOf(byte);
  let point = bytes === 1 ? byte : byte & (0xff >> (bytes + 1));
  for (let k = 1; k < bytes; k++) {
    const next = text.charCodeAt(at + 3 * k) === PERCENT ? hexAt(text, at + 3 * k + 1, 2) : -1;
    if ((next & 0xc0) !== 0x80) return [byte, 3];
    point = (point << 6) | (next & 0x3f);
  }
  return [point, 3 * bytes];
}

/** The number that `digits` hexadecimal digits write, or -1. */
function hexAt(text: string, at: number, digits: number): number {
  let value = 0;
  for (let k = 0; k < digits; k++) {
    const unit = text.charCodeAt(at + k);
    const digit =
      unit >= 0x30 && unit <= 0x39
        ? unit - 0x30
        : (unit | 0x20) >= 0x61 && (unit | 0x20) <= 0x66
          ? (unit | 0x20) - 0x57
          : -1;
    if (digit === -1) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** No escape is longer than this. */
const LONGEST_ESCAPE = 6;

/** How far a boundary is looked for before the literal is walked through. */
const NEAR = 64;

/**
 * The first place at or behind `from`, but not behind `to`, at which a literal may be cut: not within
 * an escape, nor within a character of UTF-8.
 *
 * @param known such a place, at or before `from`
 */
export function boundary(line: Buffer, known: number, from: number, to: number): number {
  if (from <= known) return known;
  for (let at = from; at < Math.min(to, from + NEAR); at++) {
    if (!isContinuation(byteAt(line, at)) && !isNearEscape(line, at)) return at;
  }
  return walk(line, known, from);
}

function isNearEscape(line: Buffer, at: number): boolean {
  for (let before = at - LONGEST_ESCAPE; before < at; before++) {
    if (byteAt(line, before) === BACKSLASH) return true;
  }
  return false;
}

/** From one escape to the next, so that its cost is that of the text in between, once. */
function walk(line: Buffer, known: number, from: number): number {
  let at = known;
  while (at < from) {
    const backslash = line.indexOf(BACKSLASH, at);
    if (backslash === -1 || backslash >= from) {
      at = from;
      while (isContinuation(byteAt(line, at))) at++;
      return at;
    }
    at = backslash + (line[backslash + 1] === SMALL_U ? 6 : 2);
  }
  return at;
}

/** 0 behind the end. */
const byteAt = (line: Buffer, at: number): number => line[at] ?? 0;

const isContinuation = (byte: number): boolean => (byte & 0xc0) === 0x80;
