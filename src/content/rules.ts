import type { ContentLevel } from "../config/content.ts";
import { isObject } from "../shared/json.ts";
import type { Form } from "./forms.ts";
import { withoutImagesInText } from "./images.ts";
import { isDeeper, isEmpty, jsonBytes, LEFT_OUT, leftOut } from "./left-out.ts";

/** Levels at which something is left out by its place. */
export type LowerLevel = Exclude<ContentLevel, "full">;

/** What is sent of a value at a level: the value itself where that is all of it. */
export type Rule = (value: unknown, level: LowerLevel) => unknown;

/** What a tool gave back, an extension keeps, or nobody knows the meaning of. */
export const output: Rule = (value) => (isEmpty(value) ? value : leftOut(value));

/** All that is neither a tool's output nor what people and models wrote: arguments, paths, labels, errors. */
export const own: Rule = (value, level) =>
  level === "no-tool-output" && !isDeeper(value) ? value : output(value, level);

/** Providers' errors quote what they were sent, tools' output and all; a short one has no room for that. */
const MAX_ERROR_CHARACTERS = 200;

export const error: Rule = (value, level) =>
  typeof value === "string" && value.length > MAX_ERROR_CHARACTERS
    ? output(value, level)
    : own(value, level);

/** What people and models wrote. */
export const words: Rule = (value, level) =>
  level === "text" && typeof value === "string" ? withoutImagesInText(value) : own(value, level);

/** How OpenClaw begins to quote a command that ended in the background, within a message to the model. */
const QUOTED_OUTPUT = /\bexec (?:completed|failed|finished) \(|\basync command you ran earlier\b/i;

/** The same for what came in as a person's message, into which the host also writes. */
export const heard: Rule = (value, level) =>
  typeof value === "string" && QUOTED_OUTPUT.test(value)
    ? output(value, level)
    : words(value, level);

/** What is sent at every level, where it has the form that it should. @param otherwise where it has not */
export function fact(form: Form, otherwise: Rule = own): Rule {
  return (value, level) => (form(value) ? value : otherwise(value, level));
}

export type Shape = Readonly<Record<string, Rule>>;

/** An object by the names of its members. Those of other names are user data for all we know, names included. */
export function object(shape: Shape): Rule {
  const rules = new Map(Object.entries(shape));
  return (value, level) => {
    if (!isObject(value)) return output(value, level);
    const sent: Record<string, unknown> = {};
    const unknown: [name: string, value: unknown][] = [];
    let isWhole = true;
    for (const [name, member] of Object.entries(value)) {
      const rule = rules.get(name);
      if (rule === undefined) {
        unknown.push([name, member]);
        continue;
      }
      sent[name] = rule(member, level);
      isWhole &&= sent[name] === member;
    }
    if (unknown.length > 0) {
      sent[LEFT_OUT] = `[left out: ${jsonBytes(Object.fromEntries(unknown))}]`;
    }
    return isWhole && unknown.length === 0 ? value : sent;
  };
}

/** A list of objects. One that has anything else in it is no such list. */
export function list(rule: Rule): Rule {
  return (value, level) => {
    if (!Array.isArray(value) || !value.every(isObject)) return output(value, level);
    const sent = value.map((member) => rule(member, level));
    return sent.some((member, at) => member !== value[at]) ? sent : value;
  };
}

/** An object by what one of its members says that it is. @param otherwise for unknown kinds */
export function byKind(
  member: string,
  kinds: Readonly<Record<string, Rule>>,
  otherwise: Rule,
): Rule {
  const rules = new Map<unknown, Rule>(Object.entries(kinds));
  return (value, level) => {
    const rule = isObject(value) ? rules.get(value[member]) : undefined;
    return (rule ?? otherwise)(value, level);
  };
}

/** A text, or a list of blocks. */
export function textOr(text: Rule, blocks: Rule): Rule {
  return (value, level) => (typeof value === "string" ? text : blocks)(value, level);
}
