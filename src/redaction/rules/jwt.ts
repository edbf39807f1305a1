import { countBefore, hasToken, WORD } from "../bytes.ts";
import { isToken } from "../randomness.ts";
import { NOTHING, type Rule } from "../rule.ts";

/** In characters; what large claims make of a token. */
const REACH = 16_000;

const HEADER = 2000;

/** Signed, with three parts, or encrypted, with five. */
const COMPLETE = /eyJ[\w-]{8,2000}(?:\.eyJ[\w-]{8,12000}\.[\w-]{16,2000}|(?:\.[\w-]{0,12000}){4})/y;

/** What is left of a signed one whose end is missing. */
const CUT = /eyJ[\w-]{8,2000}\.eyJ[\w-]{8,}(?:\.[\w-]*)?(?=$|…|\.{3})/y;

const isHeader = (bytes: Uint8Array, at: number): boolean =>
  WORD[bytes[at - 1] ?? 0] === 1 && WORD[bytes[at - 8] ?? 0] === 1;

/** Both begin with `{"`, which is `eyJ` in base64. */
export const jwt: Rule = {
  id: "jwt",
  source: "RFC 7519, RFC 7515, RFC 7516",
  reach: REACH,
  needles: [
    { text: ".eyJ", verify: (bytes, at, end) => hasToken(bytes, end, 8) && isHeader(bytes, at) },
    { text: "eyJhbGciOi", verify: (bytes, _at, end) => hasToken(bytes, end, 16) },
  ],
  find({ text, bytes, ends }, at) {
    const before = text.slice(at - countBefore(bytes, at, WORD, HEADER), at);
    const header = text[at] === "." ? before.indexOf("eyJ") : before.length;
    if (header === -1) return NOTHING;
    const start = at - before.length + header;
    COMPLETE.lastIndex = start;
    CUT.lastIndex = start;
    const match = COMPLETE.exec(text) ?? CUT.exec(text);
    if (match === null || !isToken(match[0])) return NOTHING;
    const end = start + match[0].length;
    return end === text.length && !ends ? NOTHING : [{ start, end, rule: "jwt" }];
  },
};
