import * as v from "valibot";

/**
 * The values that options are made of. Editors and environment variables turn numbers, switches and
 * lists into text, and a number into the name that it was meant to be: each is taken as what it means,
 * here and nowhere else, before its form and its bounds are checked.
 */
const read = <T extends v.GenericSchema>(toValue: (given: unknown) => unknown, schema: T) =>
  v.pipe(v.unknown(), v.transform(toValue), schema);

/** Text without the space around it. */
export const text = (expected: string) =>
  read(readText, v.pipe(v.string(expected), v.trim(), v.nonEmpty(expected)));

export const whole = (min: number, max: number, expected: string) =>
  read(
    readNumber,
    v.pipe(
      v.number(expected),
      v.integer(expected),
      v.minValue(min, expected),
      v.maxValue(max, expected),
    ),
  );

export const flag = () => read(readFlag, v.boolean("true or false"));

/** One of these words, in any case. */
export const choice = <const T extends readonly string[]>(words: T, expected: string) =>
  read(readWord, v.picklist(words, expected));

/** A list, or its items separated by commas. Empty when it is left out. */
export const listOf = <T extends v.GenericSchema>(item: T, expected: string) =>
  v.optional(read(readList, v.array(item, expected)), []);

/** Text for the names and ids that look like a number. */
export function readText(given: unknown): unknown {
  return Number.isSafeInteger(given) ? String(given) : given;
}

function readNumber(given: unknown): unknown {
  return typeof given === "string" && /^\s*-?\d+(\.\d+)?\s*$/.test(given) ? Number(given) : given;
}

function readFlag(given: unknown): unknown {
  const word = readWord(given);
  if (word === "true") return true;
  return word === "false" ? false : given;
}

function readWord(given: unknown): unknown {
  return typeof given === "string" ? given.trim().toLowerCase() : given;
}

/** A comma that is escaped, or within braces, belongs to a glob. */
const ITEM = /(?:\\.|\{[^{}]*\}|[^,\\]|\\$)+/gs;

function readList(given: unknown): unknown {
  if (typeof given !== "string") return given;
  const items = (given.match(ITEM) ?? []).map((item) => item.trim()).filter((item) => item !== "");
  // Nothing but commas is no list: an empty one may mean "all".
  return items.length === 0 ? given : items;
}
