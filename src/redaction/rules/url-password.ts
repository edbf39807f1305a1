import { BACKSLASH, byteClass } from "../bytes.ts";
import { isPlaceholder, isRandom } from "../randomness.ts";
import { type Needle, NOTHING, type Rule } from "../rule.ts";

/** `user:password@` or `token@`, and the beginning of a host. */
const AUTHORITY =
  /:\/\/(?:([^\s/:@"'`<>\\()]{0,256}):([^\s/"'`<>\\()]{1,256})|([^\s/:@"'`<>\\()]{20,256}))@[A-Za-z0-9[_$.-]/y;

/** A word that stands for a password in documents. */
const WORDS = /^(?:pass|password|passwd|pwd|pw|secret|token|user|username|key|api[_-]?key)$/i;

const ENDS = byteClass("/\\s\"'`<>()\\x00-\\x1f");

/** As far as an authority is looked for, in bytes. */
const FAR = 520;

const verify: Needle["verify"] = (bytes, _at, end) => {
  let at = end;
  while (bytes[at] === BACKSLASH || bytes[at] === SLASH) at++;
  for (const to = at + FAR; at < to; at++) {
    const byte = bytes[at] ?? QUOTE;
    if (byte === AT_SIGN) return true;
    if (byte === PERCENT && bytes[at + 1] === FOUR && bytes[at + 2] === ZERO) return true;
    if (ENDS[byte] === 1) return false;
  }
  return false;
};
const SLASH = 0x2f;
const QUOTE = 0x22;
const AT_SIGN = 0x40;
const PERCENT = 0x25;
const FOUR = 0x34;
const ZERO = 0x30;

export const urlPassword: Rule = {
  id: "url-password",
  source: "RFC 3986, section 3.2.1",
  reach: 600,
  generic: true,
  needles: [
    { text: "://", verify },
    { text: ":\\/", verify },
    { text: ":\\\\/", verify },
    { text: ":%2F%2F", verify, fold: true },
    { text: "%3A%2F%2F", verify, fold: true },
  ],
  find({ text }, at) {
    AUTHORITY.lastIndex = at;
    const match = AUTHORITY.exec(text);
    if (match === null) return NOTHING;
    const [whole, , password, token] = match;
    const secret = password ?? token ?? "";
    if (isPlaceholder(whole) || WORDS.test(secret)) return NOTHING;
    if (password === undefined ? !isRandom(secret) : password.length < 4) return NOTHING;
    const end = at + whole.length - 2;
    return [{ start: end - secret.length, end, rule: "url-password" }];
  },
};
