import { type Needle, NOTHING, type Rule } from "./rule.ts";
import { byteOf } from "./view.ts";

/** Shorter ones would be found in every other word. */
export const SHORTEST_VALUE = 6;

/** Longer ones are known by their beginning. */
const MOST = 4096;

/** Id of the rule of values that are named in the config, and what stands in their place. */
export const VALUE_RULE = "value";

/** How far from its beginning a value's needle may lie: rules see no more of what is before it. */
const NEAR = 200;

/** Bytes that every encoding leaves as they are. */
const PLAIN = /[A-Za-z0-9._-]+/g;

/**
 * The rule that finds values wherever they are, and however they are escaped; undefined when there are
 * none. Values are trimmed, as those of files end in a line break.
 */
export function valueRule(values: readonly string[]): Rule | undefined {
  const wanted = usable(values);
  if (wanted.length === 0) return undefined;
  const anchors = wanted.map((value) => ({ value, anchor: anchorOf(value) }));
  return {
    id: VALUE_RULE,
    source: "the config",
    reach: Math.max(...wanted.map(({ length }) => length)),
    needles: anchors.flatMap(({ anchor }) => needlesOf(anchor.text)),
    find({ text }, at) {
      return anchors.flatMap(({ value, anchor }) => {
        const start = at - anchor.offset;
        if (start < 0 || !text.startsWith(value, start)) return NOTHING;
        return [{ start, end: start + value.length, rule: VALUE_RULE }];
      });
    },
  };
}

/** Those that can be looked for, each once. */
export function usable(values: readonly string[]): string[] {
  const trimmed = values.map((value) => value.trim().slice(0, MOST));
  return [...new Set(trimmed)].filter(({ length }) => length >= SHORTEST_VALUE);
}

interface Anchor {
  readonly text: string;
  /** In the value. */
  readonly offset: number;
}

/** What the scanner looks for: the longest part that no encoding changes. */
function anchorOf(value: string): Anchor {
  const near = value.slice(0, NEAR);
  const plain = [...near.matchAll(PLAIN)]
    .map(({ 0: text, index }) => ({ text, offset: index }))
    .toSorted((a, b) => b.text.length - a.text.length)[0];
  return plain !== undefined && plain.text.length >= 3 ? plain : { text: near, offset: 0 };
}

/** The bytes of the line, and what escapes or a view make of them where there are characters beyond ASCII. */
function needlesOf(text: string): Needle[] {
  const utf8 = needle([...Buffer.from(text)]);
  const units = Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
  if (units.every((unit) => unit < 0x80)) return [utf8];
  const first = units[0] ?? 0;
  const escaped = `\\u${first.toString(16).padStart(4, "0")}`;
  const encoded = encodeURIComponent(text.slice(0, 2).toWellFormed());
  return [
    utf8,
    needle(units.map(byteOf)),
    ...[escaped, encoded].map((form) => ({ text: form, fold: true, verify: () => true })),
  ];
}

/** A bracket means more than itself in a needle. */
function needle(bytes: readonly number[]): Needle {
  const characters = bytes.map((byte) => String.fromCharCode(byte));
  return {
    text: characters.map((one) => (one === "[" ? "[[]" : one)).join(""),
    verify: () => true,
  };
}
