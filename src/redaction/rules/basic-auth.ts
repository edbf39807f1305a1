import { byteClass } from "../bytes.ts";
import { isPlaceholder } from "../randomness.ts";
import { type Needle, NOTHING, type Rule } from "../rule.ts";
import { mayBeRandom } from "./assigned.ts";

const AUTH = /auth["'`]{0,1}[ \t]{0,4}[:=][ \t]{0,4}["'`]?([A-Za-z0-9+/]{8,4000}={0,2})/iy;

/** Shorter than what most users and passwords are in base64. */
const SHORTEST = 8;

/** Between name and value, in bytes, with what escapes make of it. */
const FAR = 40;

const GAP = byteClass("\\s\"'`:=\\\\%0-9A-F");
const SEPARATOR = byteClass(":=%");
const BASE64 = byteClass("A-Za-z0-9+/%");

const verify: Needle["verify"] = (bytes, _at, end) => {
  let separated = false;
  for (let at = end - 1; at < end + FAR; at++) {
    const byte = bytes[at] ?? 0;
    if (separated && isBase64(bytes, at)) return true;
    if (GAP[byte] !== 1) return false;
    separated ||= SEPARATOR[byte] === 1;
  }
  return false;
};

function isBase64(bytes: Uint8Array, from: number): boolean {
  for (let at = from; at < from + SHORTEST; at++) {
    if (BASE64[bytes[at] ?? 0] !== 1) return false;
  }
  return mayBeRandom(bytes, from);
}

/** User and password, or a token alone, as package managers and Docker keep them. */
export const basicAuth: Rule = {
  id: "basic-auth",
  source: "https://docs.npmjs.com/cli/configuring-npm/npmrc; Docker's config.json",
  reach: 320,
  generic: true,
  needles: [{ text: 'auth[=:"\\\\% ]', fold: true, verify }],
  find({ text }, at) {
    AUTH.lastIndex = at;
    const match = AUTH.exec(text);
    const value = match?.[1] ?? "";
    if (match === null || isPlaceholder(value) || !isUserAndPassword(value)) return NOTHING;
    const end = at + match[0].length;
    return [{ start: end - value.length, end, rule: "basic-auth" }];
  },
};

/** Base64 of `user:password`. */
export function isUserAndPassword(value: string): boolean {
  const text = Buffer.from(value, "base64").toString("latin1");
  return /^[\x20-\x7e]*[^\s:]:[\x21-\x7e]{3,}$/.test(text);
}
