import type { ContentOptions } from "../config/content.ts";
import { isObject, parseJson } from "../shared/json.ts";
import { entry } from "./entries.ts";
import { withoutImages } from "./images.ts";
import { leftOut } from "./left-out.ts";

/**
 * What is sent of an entry, as a value of JSON that is nested no deeper than can be serialised.
 * The entry itself where that is all of it.
 *
 * Send this value, and never the text that the entry was parsed from: that may have a name twice,
 * and only the last of the two is in the entry.
 */
export type ContentFilter = (entry: unknown) => unknown;

/** Null where everything is sent. */
export function createContentFilter({ level, images }: ContentOptions): ContentFilter | null {
  if (level === "full") return images ? null : withoutImages;
  return (value) => {
    const sent = isObject(value) ? entry(value, level) : { raw: leftOut(value) };
    // Below, there are none left.
    return level === "no-tool-output" && !images ? withoutImages(sent) : sent;
  };
}

/**
 * The payload of one line after a filter: JSON on one line.
 *
 * @param payload JSON in a binary string: one character a byte
 */
export function filterPayload(payload: string, filter: ContentFilter): string {
  const text = Buffer.from(payload, "latin1").toString();
  const value = parseJson(text);
  const sent = filter(isObject(value) ? value : { raw: text });
  return Buffer.from(JSON.stringify(sent)).toString("latin1");
}
