/** An object of JSON: neither a list nor null. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value itself if it is an object, else one without members. */
export function asObject(value: unknown): Record<string, unknown> {
  return isObject(value) ? value : {};
}

export const isText = (value: unknown): value is string => typeof value === "string";

/** Undefined, which no JSON means, for what is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
