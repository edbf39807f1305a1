/** A glob of braces may stand for at most this many globs without them. */
const MAX_ALTERNATIVES = 1000;
const MAX_LENGTH = 1000;

type Token = "*" | ((char: string) => boolean);

/**
 * Compiles a glob: `*` is any text, also with `/` and `:` in it, `?` one character,
 * `[a-z]` and `[!a-z]` one of a set, `{a,b}` either, and `\` takes what follows as it is.
 * Everything else stands for itself, also a bracket or brace that is not closed and a
 * leading `!`, `#` or dot. Takes time in proportion to glob and text, whatever they are.
 */
export function compileGlob(glob: string): (text: string) => boolean {
  const globs = [...expandBraces(glob)].map((one) => tokensOf([...one]));
  return (text) => {
    const characters = [...text];
    return globs.some((tokens) => matches(tokens, characters));
  };
}

/** Whether a glob is short enough, and its braces stand for few enough globs, to be compiled. */
export function isBounded(glob: string): boolean {
  if (glob.length > MAX_LENGTH) return false;
  let count = 0;
  for (const _ of expandBraces(glob)) if (++count > MAX_ALTERNATIVES) return false;
  return true;
}

function* expandBraces(glob: string): Generator<string> {
  const braces = firstBraces(glob);
  if (braces === null) {
    yield glob;
    return;
  }
  const { before, alternatives, after } = braces;
  for (const alternative of alternatives) {
    for (const rest of expandBraces(alternative + after)) yield before + rest;
  }
}

/** The first braces that are closed and hold a comma. */
function firstBraces(
  glob: string,
): { before: string; alternatives: string[]; after: string } | null {
  for (let open = 0; open < glob.length; open++) {
    if (glob[open] === "\\") open++;
    else if (glob[open] === "{") {
      const found = closeBraces(glob, open);
      if (found !== null) return { before: glob.slice(0, open), ...found };
    }
  }
  return null;
}

function closeBraces(glob: string, open: number): { alternatives: string[]; after: string } | null {
  const alternatives: string[] = [];
  let depth = 0;
  let start = open + 1;
  for (let at = start; at < glob.length; at++) {
    const char = glob[at];
    if (char === "\\") at++;
    else if (char === "{") depth++;
    else if (depth === 0 && (char === "," || char === "}")) {
      alternatives.push(glob.slice(start, at));
      start = at + 1;
      if (char === "}")
        return alternatives.length < 2 ? null : { alternatives, after: glob.slice(start) };
    } else if (char === "}") depth--;
  }
  return null;
}

function tokensOf(glob: readonly string[]): Token[] {
  const tokens: Token[] = [];
  for (let at = 0; at < glob.length; at++) {
    const char = glob[at] as string;
    if (char === "*") {
      if (tokens.at(-1) !== "*") tokens.push("*");
    } else if (char === "?") {
      tokens.push(() => true);
    } else if (char === "[") {
      const set = setAt(glob, at);
      tokens.push(set?.token ?? is(char));
      at = set?.end ?? at;
    } else if (char === "\\" && at + 1 < glob.length) {
      at++;
      tokens.push(is(glob[at] as string));
    } else {
      tokens.push(is(char));
    }
  }
  return tokens;
}

const is =
  (expected: string): Token =>
  (char) =>
    char === expected;

/** The set that begins with the bracket at `open`; null when it is not closed. */
function setAt(glob: readonly string[], open: number): { token: Token; end: number } | null {
  const negated = glob[open + 1] === "!" || glob[open + 1] === "^";
  const first = open + (negated ? 2 : 1);
  // A bracket in the first place is one of the set.
  const end = glob.indexOf("]", first + 1);
  if (end === -1) return null;
  const members = glob.slice(first, end);
  const ranges: [string, string][] = [];
  for (let at = 0; at < members.length; at++) {
    const from = members[at] as string;
    const isRange = members[at + 1] === "-" && at + 2 < members.length;
    ranges.push([from, isRange ? (members[at + 2] as string) : from]);
    if (isRange) at += 2;
  }
  const token: Token = (char) =>
    ranges.some(([from, to]) => from <= char && char <= to) !== negated;
  return { token, end };
}

/** Goes back to the last `*` only, which is enough: what an earlier one could take, the last one can. */
function matches(tokens: readonly Token[], text: readonly string[]): boolean {
  let at = 0;
  let token = 0;
  let star = -1;
  let taken = 0;
  while (at < text.length) {
    const expected = tokens[token];
    if (expected === "*") {
      star = token++;
      taken = at;
    } else if (expected?.(text[at] as string) === true) {
      token++;
      at++;
    } else if (star !== -1) {
      token = star + 1;
      at = ++taken;
    } else {
      return false;
    }
  }
  while (tokens[token] === "*") token++;
  return token === tokens.length;
}
