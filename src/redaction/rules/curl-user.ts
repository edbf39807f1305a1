import { isPlaceholder } from "../randomness.ts";
import { NOTHING, type Rule } from "../rule.ts";

const USER = /(?:-u|--user)[ =]{1,2}["']?([^\s:"'`$]{1,80}):([^\s"'`$\\]{4,200})/y;

/** The command stands at most this far in front. */
const FAR = 240;

export const curlUser: Rule = {
  id: "curl-user",
  source: "https://curl.se/docs/manpage.html#-u",
  reach: 320,
  generic: true,
  needles: ["-u ", "-u%20", "--user ", "--user=", "--user%20", "--user%3D"].map((text) => ({
    text,
    verify: hasColon,
  })),
  find({ text }, at) {
    USER.lastIndex = at;
    const match = USER.exec(text);
    const password = match?.[2] ?? "";
    if (match === null || isPlaceholder(password)) return NOTHING;
    if (!/\bcurl\b/.test(text.slice(Math.max(0, at - FAR), at))) return NOTHING;
    const end = at + match[0].length;
    return [{ start: end - password.length, end, rule: "curl-user" }];
  },
};

const SPACE = 0x20;
const COLON = 0x3a;
const PERCENT = 0x25;

/** In the word that follows. */
function hasColon(bytes: Uint8Array, _at: number, end: number): boolean {
  for (let at = end; at < end + 80; at++) {
    const byte = bytes[at] ?? SPACE;
    if (byte === PERCENT) return true;
    if (byte === COLON) return at > end;
    if (byte <= SPACE) return false;
  }
  return false;
}
