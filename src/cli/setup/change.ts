import { isObject } from "../../shared/json.ts";

/** What `setup` does to the plugin's options; each is a dotted path, e.g. `upload.every`. */
export interface Change {
  readonly set: ReadonlyMap<string, unknown>;
  /** Options that are removed, so that their defaults count. */
  readonly remove: readonly string[];
}

/** The options after a change; what it does not name stays as it is. */
export function applyChange(options: unknown, { set, remove }: Change): Record<string, unknown> {
  const changed: Record<string, unknown> = isObject(options) ? structuredClone(options) : {};
  for (const path of remove) removeAt(changed, path.split("."));
  for (const [path, value] of set) setAt(changed, path.split("."), value);
  return changed;
}

function setAt(
  object: Record<string, unknown>,
  [name = "", ...rest]: string[],
  value: unknown,
): void {
  if (rest.length === 0) {
    object[name] = value;
    return;
  }
  const inner = object[name];
  const group = isObject(inner) ? inner : {};
  object[name] = group;
  setAt(group, rest, value);
}

/** Of a list, and where the path leads nowhere, the nearest option that there is. */
function removeAt(object: Record<string, unknown>, [name = "", ...rest]: string[]): void {
  const inner = object[name];
  const [next] = rest;
  if (next !== undefined && isObject(inner) && Object.hasOwn(inner, next)) removeAt(inner, rest);
  else delete object[name];
}
