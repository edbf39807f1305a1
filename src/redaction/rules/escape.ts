import { NOTHING, type Rule } from "../rule.ts";

/**
 * Characters of ASCII as `\u0067`, which nobody needs to write so: what they are in may be anything.
 * The scanner is run again over what they stand for.
 */
export const ESCAPES: Rule = {
  id: "escapes",
  source: "RFC 8259, section 7",
  reach: 0,
  needles: [{ text: "\\u00[2-7]", verify: () => true }],
  find: () => NOTHING,
};
