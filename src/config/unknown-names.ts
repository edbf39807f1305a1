import type * as v from "valibot";
import { isObject } from "../shared/json.ts";

/** A name in a config that no option has. */
export interface UnknownName {
  /** Dotted, as an option's: `upload.evry`. */
  readonly path: string;
  /** Paths of the options that were probably meant; empty where none is near. */
  readonly nearest: readonly string[];
  /** Whether it may have been meant to keep something here: then nothing may leave for it. */
  readonly isPrivate: boolean;
}

/** The options that decide what leaves and what becomes of it, with all below them. */
const PRIVATE = /^(filter|content|redact|onDelete)(\.|$)/;

/** What such an option might be called by somebody who does not know its name; beginnings of words, folded. */
const PRIVATE_WORDS =
  /agent|session|chat|conversation|transcript|message|content|image|tool|filter|allow|deny|denied|exclu|inclu|only|ignor|skip|block|omit|strip|redact|secret|credential|mask|scrub|sanit|anonym|priva|pii|delet|forget|retain|retention|consent|optin|optout|enable|disable|pause/;

/** An option or group with what its name is compared by. */
interface Known {
  readonly path: string;
  readonly parent: string;
  /** Folded, alone and with all before it. */
  readonly name: string;
  readonly whole: string;
  readonly isPrivate: boolean;
}

/** Names of a config that no option of `schema` has, in the order of the config. */
export function findUnknownNames(schema: v.GenericSchema, given: unknown): UnknownName[] {
  let known: readonly Known[] | undefined;
  const found: UnknownName[] = [];
  const visit = (at: v.GenericSchema | undefined, value: unknown, parent: string): void => {
    const { entries, item } = membersOf(at);
    if (item !== undefined && Array.isArray(value)) {
      for (const [index, one] of value.entries()) visit(item, one, `${parent}.${index}`);
    }
    if (entries === undefined || !isObject(value)) return;
    for (const [name, member] of Object.entries(value)) {
      const path = parent === "" ? name : `${parent}.${name}`;
      if (Object.hasOwn(entries, name)) {
        visit(entries[name], member, path);
      } else {
        known ??= pathsOf(schema).map(describe);
        found.push(judge({ name, path, parent, member }, known));
      }
    }
  };
  visit(schema, given, "");
  return found;
}

function describe(path: string): Known {
  const at = path.lastIndexOf(".");
  return {
    path,
    parent: path.slice(0, Math.max(0, at)),
    name: fold(path.slice(at + 1)),
    whole: fold(path),
    isPrivate: PRIVATE.test(path),
  };
}

interface Unknown {
  readonly name: string;
  readonly path: string;
  readonly parent: string;
  readonly member: unknown;
}

function judge({ name, path, parent, member }: Unknown, known: readonly Known[]): UnknownName {
  const folded = fold(name);
  const near = nearTo(folded, parent, known);
  const least = Math.min(...near.map(({ distance }) => distance));
  const nearest = near.filter(({ distance }) => distance === least).map(({ one }) => one.path);
  const mayKeep =
    near.length > 0 ? near.some(({ one }) => one.isPrivate) : PRIVATE_WORDS.test(folded);
  const isPrivate = PRIVATE.test(parent) || mayKeep || hasPrivateName(member, known);
  return { path: cut(path), nearest, isPrivate };
}

interface Near {
  readonly one: Known;
  readonly distance: number;
}

/** Options with nearly that name: first those beside it, else those anywhere. */
function nearTo(folded: string, parent: string, known: readonly Known[]): readonly Near[] {
  const near = known.flatMap((one) => {
    const distance = one.whole === folded ? 0 : distanceTo(folded, one.name);
    return distance === null ? [] : [{ one, distance }];
  });
  const beside = near.filter(({ one }) => one.parent === parent);
  return beside.length > 0 ? beside : near;
}

/** Null where more letters are wrong, missing or exchanged than one in four, from one to three. */
function distanceTo(name: string, other: string): number | null {
  if (name === other) return 0;
  if (Math.min(name.length, other.length) < 3) return null;
  const allowed = Math.min(3, Math.max(1, Math.floor(Math.max(name.length, other.length) / 4)));
  if (Math.abs(name.length - other.length) > allowed) return null;
  const distance = editDistance(name, other);
  return distance <= allowed ? distance : null;
}

/** Something below a name that is unknown may be an option that keeps something here. */
function hasPrivateName(value: unknown, known: readonly Known[]): boolean {
  if (!isObject(value)) return false;
  return Object.entries(value).some(([name, member]) => {
    const folded = fold(name);
    const isOption = known.some((one) => one.isPrivate && one.name === folded);
    return isOption || PRIVATE_WORDS.test(folded) || hasPrivateName(member, known);
  });
}

interface Members {
  readonly entries?: Readonly<Record<string, v.GenericSchema>> | undefined;
  readonly item?: v.GenericSchema | undefined;
}

/** What an option's schema says of names within; those of `filter.agents.content` are the user's. */
function membersOf(schema: v.GenericSchema | undefined): Members {
  if (schema === undefined) return {};
  const {
    pipe = [],
    wrapped,
    entries,
    item,
  } = schema as Partial<{
    pipe: readonly v.GenericSchema[];
    wrapped: v.GenericSchema;
    entries: Members["entries"];
    item: v.GenericSchema;
  }>;
  if (entries !== undefined || item !== undefined) return { entries, item };
  const steps = pipe.map(membersOf);
  return (
    steps.findLast((one) => one.entries !== undefined || one.item !== undefined) ??
    membersOf(wrapped)
  );
}

/** The paths of all options and groups, without those of items of lists. */
export function pathsOf(schema: v.GenericSchema, parent = ""): string[] {
  return Object.entries(membersOf(schema).entries ?? {}).flatMap(([name, option]) => {
    const path = parent === "" ? name : `${parent}.${name}`;
    return [path, ...pathsOf(option, path)];
  });
}

/** No option is as long. */
const MAX_NAME = 80;

/** Without what people do not distinguish. */
const fold = (name: string): string =>
  name
    .slice(0, MAX_NAME)
    .toLowerCase()
    .replace(/[\s._-]/g, "");

/** Somebody may have put anything in the place of a name. */
const cut = (path: string): string =>
  path.length > MAX_NAME ? `${path.slice(0, MAX_NAME - 3)}...` : path;

/** Letters to insert, remove, replace or exchange with their neighbor ("optimal string alignment"). */
function editDistance(one: string, other: string): number {
  let before: number[] = [];
  let last = Array.from({ length: other.length + 1 }, (_, at) => at);
  for (let row = 1; row <= one.length; row++) {
    const next = [row];
    for (let at = 1; at <= other.length; at++) {
      const cost = one[row - 1] === other[at - 1] ? 0 : 1;
      const ways = [(last[at] ?? 0) + 1, (next[at - 1] ?? 0) + 1, (last[at - 1] ?? 0) + cost];
      const isSwapped = one[row - 1] === other[at - 2] && one[row - 2] === other[at - 1];
      if (row > 1 && at > 1 && isSwapped) ways.push((before[at - 2] ?? 0) + 1);
      next.push(Math.min(...ways));
    }
    [before, last] = [last, next];
  }
  return last.at(-1) ?? 0;
}
