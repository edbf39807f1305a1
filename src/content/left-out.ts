import { isObject } from "../shared/json.ts";

/** Also the name of the one member that stands for all members of unknown names. */
export const LEFT_OUT = "[left out]";

/** What stands for a value: its size, which is that of a text itself, or of anything else as JSON. */
export function leftOut(value: unknown): string {
  const bytes = typeof value === "string" ? Buffer.byteLength(value) : jsonBytes(value);
  return `[left out: ${bytes}]`;
}

/** Whether a value stands for another already. */
export function isLeftOut(value: unknown): boolean {
  return typeof value === "string" && /^\[left out: \d+\]$/.test(value);
}

/** Nothing that could be left out: absent, or empty. */
export function isEmpty(value: unknown): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === null || value === "" || (isObject(value) && Object.keys(value).length === 0);
}

/** UTF-8 bytes of a value as JSON. Not by JSON.stringify, which overflows the stack on deep values. */
export function jsonBytes(value: unknown): number {
  let bytes = 0;
  const open: unknown[] = [value];
  while (open.length > 0) {
    const one = open.pop();
    if (Array.isArray(one)) {
      bytes += around(one.length);
      for (const member of one) open.push(member);
    } else if (isObject(one)) {
      const names = Object.keys(one);
      bytes += around(names.length);
      for (const name of names) {
        bytes += Buffer.byteLength(JSON.stringify(name)) + ":".length;
        open.push(one[name]);
      }
    } else {
      bytes += Buffer.byteLength(JSON.stringify(one));
    }
  }
  return bytes;
}

/** Brackets or braces, and the commas between. */
const around = (members: number): number => 2 + Math.max(0, members - 1);

/** Deeper values are left out whole: what goes on to be serialised must not overflow the stack. */
export const MAX_DEPTH = 200;

/** Whether lists and objects are nested more than `depth` deep. */
export function isDeeper(value: unknown, depth = MAX_DEPTH): boolean {
  if (typeof value !== "object" || value === null) return false;
  return depth === 0 || Object.values(value).some((member) => isDeeper(member, depth - 1));
}
