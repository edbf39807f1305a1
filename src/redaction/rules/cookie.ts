import { VALUE } from "../bytes.ts";
import { isPlaceholder, isRandom } from "../randomness.ts";
import type { Needle, Rule, Span } from "../rule.ts";

const HEADER = /cookie["'`\]]{0,2}[ \t]{0,4}[:=,][ \t]{0,4}["'`]?([^\n"'`]{16,8000})/iy;
const PAIR = /(?<=^|[;\s])[^=;\s]{1,80}=([^;,\s]{16,4000})/g;

const COLON = 0x3a;
const EQUALS = 0x3d;
const PERCENT = 0x25;
const COMMA = 0x2c;

const SHORTEST = 16;

/** Quotes and spaces between the name and what separates it from the value, in bytes. */
const GAP = 8;

/** As far as a value is looked for, in bytes. */
const FAR = 200;

const verify: Needle["verify"] = (bytes, _at, end) => {
  let at = end;
  while (!isSeparator(bytes[at] ?? 0)) {
    if (at++ === end + GAP) return false;
  }
  let run = SHORTEST;
  for (at++; at < end + FAR; at++) {
    const byte = bytes[at] ?? 0;
    if (byte === PERCENT) return true;
    run = byte === EQUALS ? 0 : VALUE[byte] === 1 ? run + 1 : SHORTEST;
    if (run === SHORTEST - 1) return true;
  }
  return false;
};

const isSeparator = (byte: number): boolean =>
  byte === COLON || byte === EQUALS || byte === PERCENT || byte === COMMA;

/** Sessions and tokens in cookies, in the headers of requests and answers. */
export const cookie: Rule = {
  id: "cookie",
  source: "RFC 6265, sections 4.1 and 4.2",
  reach: 8100,
  generic: true,
  needles: [{ text: "cookie", fold: true, verify }],
  find({ text }, at) {
    HEADER.lastIndex = at;
    const match = HEADER.exec(text);
    const pairs = match?.[1] ?? "";
    const first = at + (match?.[0].length ?? 0) - pairs.length;
    const spans: Span[] = [];
    for (const { 0: pair, 1: value = "", index } of pairs.matchAll(PAIR)) {
      if (isPlaceholder(value) || !isRandom(value)) continue;
      const end = first + index + pair.length;
      spans.push({ start: end - value.length, end, rule: "cookie" });
    }
    return spans;
  },
};
