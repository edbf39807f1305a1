import { NOTHING, type Rule, type Subject } from "../rule.ts";

/** The longest key with everything around it, in characters: RSA with 16,384 bits, escaped and with line numbers. */
const REACH = 40_000;

const BEGIN = /-{4,5} ?BEGIN (?:[A-Z0-9]{1,16} ){0,4}P$/;
const END = /-{4,5} ?END [A-Z0-9 ]{0,60}-{0,5}/;
const BODY = /[A-Za-z0-9+/=]{24}/;

/** A line of a key that was cut off: its body, or one of the headers before it. */
const LINE =
  /[A-Za-z0-9+/=]{16}|^[^A-Za-z0-9]*$|^[^A-Za-z]*(?:Proc-Type|DEK-Info|Version|Comment|Hash):/;

export const privateKey: Rule = {
  id: "private-key",
  source: "RFC 7468 (PEM), RFC 9580 (OpenPGP), OpenSSH's PROTOCOL.key, RFC 4716 (SSH2)",
  reach: REACH,
  needles: ["RIVATE KEY", "RIVATE%20KEY", "RIVATE+KEY"].map((text) => ({
    text,
    verify: () => true,
  })),
  find({ text }, at) {
    const from = Math.max(0, at - 80);
    const begin = BEGIN.exec(text.slice(from, at));
    if (begin === null) return NOTHING;
    const start = from + begin.index;
    const body = text.slice(at, at + REACH);
    const next = body.indexOf("-BEGIN ");
    const length = endOf(next === -1 ? body : body.slice(0, next));
    if (!BODY.test(body.slice(0, length))) return NOTHING;
    return [{ start, end: at + length, rule: "private-key" }];
  },
};

/** The longest first line of such a file, in characters of base64. */
const HEAD = 120;

/** A file of a key in base64, as in kubeconfig files and secrets of Kubernetes. */
export const encodedKey: Rule = {
  id: "private-key-base64",
  source: "RFC 7468 in base64; https://kubernetes.io/docs/concepts/configuration/secret",
  reach: REACH,
  needles: [{ text: "LS0tLS1CRUdJTi", verify: () => true }],
  find({ text, ends }, at) {
    const begin = Buffer.from(text.slice(at, at + HEAD), "base64").toString("latin1");
    if (!/^-----BEGIN [A-Z0-9 ]{0,60}PRIVATE KEY/.test(begin)) return NOTHING;
    const body = /^[A-Za-z0-9+/_-]+={0,2}/.exec(text.slice(at, at + REACH))?.[0] ?? "";
    const end = at + body.length;
    return end === text.length && !ends
      ? NOTHING
      : [{ start: at, end, rule: "private-key-base64" }];
  },
};

function endOf(body: string): number {
  const end = END.exec(body);
  if (end !== null) return end.index + end[0].length;
  const lines = body.split("\n");
  let length = lines[0]?.length ?? 0;
  for (const [index, line] of lines.entries()) {
    if (index === 0) continue;
    const isLast = index === lines.length - 1;
    if (!LINE.test(line) && !(isLast && /^[A-Za-z0-9+/=]*$/.test(line))) break;
    length += 1 + line.length;
  }
  return length;
}

/** PuTTY keeps the secret half between two headers. */
export const puttyKey: Rule = {
  id: "putty-private-key",
  source: "PuTTY manual, appendix C: PPK file format",
  reach: REACH,
  needles: [{ text: "Private-Lines", verify: () => true }],
  find({ text }: Subject, at) {
    const match =
      /^Private-Lines: \d{1,4}\s+([A-Za-z0-9+/=\s]{24,}?)(?=\s*Private-MAC|$|[^A-Za-z0-9+/=\s])/.exec(
        text.slice(at, at + REACH),
      );
    const secret = match?.[1];
    if (match === null || secret === undefined) return NOTHING;
    const end = at + match[0].length;
    return [{ start: end - secret.length, end, rule: "putty-private-key" }];
  },
};
