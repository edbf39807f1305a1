import { byteClass, hasToken } from "../bytes.ts";
import { isPlaceholder, isRandom } from "../randomness.ts";
import { type Needle, NOTHING, type Rule } from "../rule.ts";
import { mayBeRandom } from "./assigned.ts";
import { isUserAndPassword } from "./basic-auth.ts";

const HEADER =
  /(?:authorization["'`\]]{0,2}[ \t]{0,4}[:=,]>?[ \t]{0,4}["'`]?(?:([A-Za-z][A-Za-z0-9-]{1,20}) {1,4}(?:(?:token|key|apikey)=["']?)?)?|(bearer|basic|token|bot|ssws)[ +]{1,4})([A-Za-z0-9._~+/=:|-]{8,8000})/iy;

/** Shorter ones are no keys, but words. */
const SHORTEST = 14;

const SPACE = 0x20;

/** Between name and value, and in a scheme and what follows it, with what escapes make of it. */
const GAP = byteClass("\\s\"'`:=,>\\]\\\\%");
const SCHEME = byteClass("A-Za-z0-9 =\"'\\\\%-");

/** As far as a value is looked for, in bytes. */
const FAR = 40;

/** A token behind the scheme. */
const behindScheme: Needle["verify"] = (bytes, _at, end) => {
  let at = end;
  while (bytes[at] === SPACE) at++;
  return hasToken(bytes, at, 8) && mayBeRandom(bytes, at);
};

/** A value behind the name of the header, with or without a scheme. */
const behindName: Needle["verify"] = (bytes, _at, end) => {
  let at = end;
  while (GAP[bytes[at] ?? 0] === 1) at++;
  if (at === end || at > end + FAR) return false;
  for (const to = at + FAR; at < to; at++) {
    if (hasToken(bytes, at, SHORTEST) && mayBeRandom(bytes, at)) return true;
    if (SCHEME[bytes[at] ?? 0] !== 1) return false;
  }
  return false;
};

const SCHEMES = ["bearer ", "bearer%20", "bearer+", "basic ", "basic%20", "basic+"];

export const authorization: Rule = {
  id: "authorization",
  source: "RFC 9110, section 11.6.2; RFC 6750; RFC 7617",
  reach: 8100,
  generic: true,
  needles: [
    ...SCHEMES.map((text) => ({ text, fold: true, verify: behindScheme })),
    { text: "authorization", fold: true, verify: behindName },
    { text: "SSWS ", verify: behindScheme },
  ],
  find({ text }, at) {
    HEADER.lastIndex = at;
    const match = HEADER.exec(text);
    if (match === null) return NOTHING;
    const [whole, named, bare, value = ""] = match;
    if (!isCredential((named ?? bare ?? "").toLowerCase(), value)) return NOTHING;
    const end = at + whole.length;
    return [{ start: end - value.length, end, rule: "authorization" }];
  },
};

function isCredential(scheme: string, value: string): boolean {
  if (isPlaceholder(value)) return false;
  if (scheme === "basic" && isUserAndPassword(value)) return true;
  return (
    value.length >= SHORTEST && !/^(?:auth|realm|client|https?:)/i.test(value) && isRandom(value)
  );
}
