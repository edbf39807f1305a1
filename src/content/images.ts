import { isObject } from "../shared/json.ts";
import { isEmpty, isLeftOut, leftOut, MAX_DEPTH } from "./left-out.ts";

/** Members that hold an image or lead to one, in an object that says it is one. */
const DATA = new Set([
  ...["data", "base64", "b64_json", "blob", "bytes", "buffer", "content"],
  ...["url", "uri", "href", "dataUrl", "image", "image_url", "imageUrl", "source"],
]);

/** Addresses of what came with a message. Of what kind that is stands elsewhere, if at all. */
const ADDRESSES = new Set(["MediaUrl", "MediaUrls", "mediaUrl", "mediaUrls"]);

const MIME_NAMES = ["mimeType", "mime_type", "mediaType", "media_type", "contentType", "mime"];

/** What says of which kind the data is. */
const KINDS = new Set(["type", "kind", "detail", ...MIME_NAMES]);

/** The smallest images there are need more than this in a text. */
const MIN_CHARACTERS = 40;

/** A whole `data:` URL: in one that is not base64, spaces and quotes are data, too. */
const DATA_URL = /^\s*data:image\//i;

/** Base64 in one piece, or in lines of which only the last is short. */
const MORE_LINES = "(?:\\r?\\n[A-Za-z0-9+/=]{40,})*(?:\\r?\\n[A-Za-z0-9+/]+={0,2}(?=\\r?\\n|$))?";

/** A `data:` URL within a text. */
const EMBEDDED = new RegExp(
  `(data:image/[a-z0-9.+-]{1,40}(?:;[^,;:/\\s'<>]{1,40}){0,4},)(?:\\s*<svg[\\s\\S]*?(?:</svg>|$)|[^\\s"'()<>\\\\]+${MORE_LINES})`,
  "gi",
);

/** How PNG, JPEG, GIF and WebP begin in base64; with as much behind it, it is no word. */
const BASE64 = new RegExp(
  `(?<![A-Za-z0-9+/=])(?:iVBORw0KGgo|/9j/|R0lGOD[dl]h|UklGR)[A-Za-z0-9+/=]{40,}${MORE_LINES}`,
  "g",
);

/**
 * A value without the data of images and without what leads to them; what kind of image it was,
 * and how large, stays. The value itself where there are none in it.
 */
export function withoutImages(value: unknown): unknown {
  return walk(value, MAX_DEPTH);
}

function walk(value: unknown, depth: number): unknown {
  if (typeof value === "string") return withoutImagesInText(value);
  if (typeof value !== "object" || value === null) return value;
  // Nobody knows what is in there.
  if (depth === 0) return isEmpty(value) ? value : leftOut(value);
  if (isObject(value)) {
    const isImage = saysImage(value);
    return mapMembers(value, (name, member) =>
      (isImage && DATA.has(name)) || ADDRESSES.has(name)
        ? withoutData(member, depth - 1)
        : walk(member, depth - 1),
    );
  }
  const list = value as unknown[];
  const sent = list.map((member) => walk(member, depth - 1));
  return sent.some((member, at) => member !== list[at]) ? sent : list;
}

/** An object in the place of data can say of what kind that is; all else in it is data. */
function withoutData(value: unknown, depth: number): unknown {
  const isSize = typeof value === "number" || typeof value === "boolean";
  if (isSize || isEmpty(value) || isLeftOut(value)) return value;
  if (!isObject(value) || depth <= 0) return leftOut(value);
  return mapMembers(value, (name, member) =>
    KINDS.has(name) && typeof member === "string" ? member : withoutData(member, depth - 1),
  );
}

/** The object itself where no member is another then. */
function mapMembers(
  value: Record<string, unknown>,
  map: (name: string, member: unknown) => unknown,
): unknown {
  const members = Object.entries(value);
  const mapped = members.map(([name, member]) => [name, map(name, member)] as const);
  // From entries, where `__proto__` is a name like any other.
  return mapped.some(([, member], at) => member !== members[at]?.[1])
    ? Object.fromEntries(mapped)
    : value;
}

function saysImage(value: Record<string, unknown>): boolean {
  return (
    matches(value.type, /^(?:image|input_image|image_url)$/) ||
    value.kind === "image" ||
    MIME_NAMES.some((name) => matches(value[name], /^\s*image\//i))
  );
}

const matches = (value: unknown, pattern: RegExp): boolean =>
  typeof value === "string" && pattern.test(value);

/** The same for a text. */
export function withoutImagesInText(text: string): string {
  if (text.length < MIN_CHARACTERS) return text;
  if (DATA_URL.test(text)) return leftOut(text);
  return text
    .replace(EMBEDDED, (url, head: string) => `${head}${leftOut(url.slice(head.length))}`)
    .replace(BASE64, (data) => leftOut(data));
}
