import { MORE, type Needle, NOTHING, type Rule, type Span, type Subject } from "../rule.ts";
import { assigns, GAP, NAME_BEHIND } from "./assigned.ts";
import { assignmentTo, MOST_VALUE, nameAt } from "./assignment.ts";
import { isCredible, isCredibleMember, LEAST_PASSWORD, LEAST_SECRET } from "./credible.ts";
import { kindOf } from "./names.ts";

const SOURCE = "the name that the value is assigned to";

/** Characters that most values are within; there are longer ones. */
const USUAL_VALUE = 512;
const REACH = NAME_BEHIND + GAP + USUAL_VALUE;

function find(subject: Subject, at: number): readonly Span[] {
  const name = nameAt(subject, at);
  const kind = kindOf(name.text);
  if (kind === null) return NOTHING;
  const assignment = assignmentTo(name, subject);
  if (assignment === null) {
    const isShort = !subject.ends && subject.text.length - at < MOST_VALUE;
    return isShort ? MORE : NOTHING;
  }
  const { start, end } = assignment;
  if (!isCredible(kind, assignment)) return NOTHING;
  return [{ start, end, rule: kind === "password" ? "password" : "named-secret" }];
}

const needle = (text: string, least: number): Needle => ({
  text,
  fold: true,
  verify: assigns(least),
});

/** Short for a password, and only where something is assigned to it: otherwise part of other words. */
function shortNeedle(text: string): Needle {
  const verify = assigns(LEAST_PASSWORD);
  return {
    text: `${text}[=:"'\\\\%]`,
    fold: true,
    verify: (bytes, at, end) => verify(bytes, at, end - 1),
  };
}

export const password: Rule = {
  id: "password",
  source: SOURCE,
  reach: REACH,
  generic: true,
  needles: [
    ...["passw", "passphrase", "passcode"].map((text) => needle(text, LEAST_PASSWORD)),
    ...["pwd", "pass"].map(shortNeedle),
  ],
  find,
};

const SECRET_WORDS = (
  "secret token credential _key -key apikey api.key accesskey secretkey privatekey signingkey encryptionkey accountkey " +
  "masterkey sharedkey authkey licensekey subscriptionkey clientkey servicekey deploykey webhookkey"
).split(" ");

/** As prose and forms write them. */
const SPACED = ["api key", "access key", "secret key"];

export const namedSecret: Rule = {
  id: "named-secret",
  source: SOURCE,
  reach: REACH,
  generic: true,
  needles: [...SECRET_WORDS, ...SPACED, ...SPACED.map(encodeURIComponent)].map((text) =>
    needle(text, LEAST_SECRET),
  ),
  find,
};

/** A whole string that is the value of a member of JSON. @returns the rule that it falls under */
export function ruleOfMember(name: string, value: string): Rule | null {
  const kind = kindOf(name);
  if (kind === null || value.length > MOST_VALUE) return null;
  if (!isCredibleMember(kind, name, value)) return null;
  return kind === "password" ? password : namedSecret;
}
