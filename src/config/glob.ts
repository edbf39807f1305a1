/** Where a piece of a glob may end in a text, if it begins at one of `from`. */
type Piece = (text: readonly string[], from: readonly number[]) => number[];

/** A piece of one character. @param foreign it may be one that no agent's id has */
type OneOf = (takes: (char: string) => boolean, foreign: boolean) => Piece;

/** Braces that are open: their alternatives so far, and what stands before them. */
interface Braces {
  readonly outer: Piece[];
  readonly alternatives: Piece[][];
}

/**
 * Compiles a glob: `*` is any text, also with `/` and `:` in it, `?` one character (a code
 * point), `[a-z]` and `[!a-z]` one of a set, `{a,b}` either, and `\` takes what follows as
 * it is. Everything else stands for itself, also a bracket or brace that is not closed and a
 * leading `!`, `#` or dot. No glob matches the empty text.
 */
export function compileGlob(glob: string): (text: string) => boolean {
  return compile(glob, (takes) => (text, from) => step(text, from, takes));
}

/**
 * The same for a glob on an agent's name as its user writes it, when only the id is known that
 * the host makes of it: there, one dash stands for all that an id cannot have, and none at
 * either end. @param glob in lower case
 */
export function compileIdGlob(glob: string): (id: string) => boolean {
  return compile(glob, (takes, foreign) => (text, from) => {
    if (!foreign) return step(text, from, takes);
    const taken = step(text, from, (char) => char === "-" || takes(char));
    return union([taken, from.filter((at) => isCut(text, at))]);
  });
}

/** Whether what an id cannot have may have stood here without a trace. */
function isCut(id: readonly string[], at: number): boolean {
  return at === 0 || at === id.length || id[at - 1] === "-";
}

/** All ways through the text are gone at once: it takes no longer for a text that nearly matches. */
function compile(glob: string, oneOf: OneOf): (text: string) => boolean {
  const pieces = parse([...glob], oneOf);
  return (text) => {
    const chars = [...text];
    return chars.length > 0 && walk(pieces, chars, [0]).includes(chars.length);
  };
}

function walk(
  pieces: readonly Piece[],
  text: readonly string[],
  from: readonly number[],
): readonly number[] {
  let at = from;
  for (const piece of pieces) {
    if (at.length === 0) break;
    at = piece(text, at);
  }
  return at;
}

function step(
  text: readonly string[],
  from: readonly number[],
  takes: (char: string) => boolean,
): number[] {
  const ends: number[] = [];
  for (const at of from) if (at < text.length && takes(text[at] as string)) ends.push(at + 1);
  return ends;
}

const union = (ends: readonly (readonly number[])[]): number[] => [...new Set(ends.flat())];

const anyText: Piece = (text, from) => {
  const ends: number[] = [];
  for (let at = Math.min(...from); at <= text.length; at++) ends.push(at);
  return ends;
};

const either =
  (alternatives: readonly (readonly Piece[])[]): Piece =>
  (text, from) =>
    union(alternatives.map((pieces) => walk(pieces, text, from)));

function parse(chars: readonly string[], oneOf: OneOf): Piece[] {
  const literal = (char: string): Piece => oneOf((other) => other === char, isForeign(char));
  const open: Braces[] = [];
  let pieces: Piece[] = [];
  /** What was taken for braces stands for itself. */
  const unbrace = ({ outer, alternatives }: Braces): Piece[] => {
    const inner = [...alternatives, pieces].flatMap((one) => [literal(","), ...one]).slice(1);
    return [...outer, literal("{"), ...inner];
  };
  for (let at = 0; at < chars.length; at++) {
    const char = chars[at] as string;
    const braces = open.at(-1);
    const set = char === "[" ? setAt(chars, at) : null;
    if (set !== null) {
      pieces.push(oneOf(set.takes, set.foreign));
      at = set.end;
    } else if (char === "*") pieces.push(anyText);
    else if (char === "?") pieces.push(oneOf(() => true, true));
    else if (char === "{") {
      open.push({ outer: pieces, alternatives: [] });
      pieces = [];
    } else if (char === "," && braces !== undefined) {
      braces.alternatives.push(pieces);
      pieces = [];
    } else if (char === "}" && braces !== undefined) {
      open.pop();
      const { outer, alternatives } = braces;
      if (alternatives.length === 0) pieces = [...unbrace(braces), literal("}")];
      else pieces = [...outer, either([...alternatives, pieces])];
    } else if (char === "\\" && at + 1 < chars.length) pieces.push(literal(chars[++at] as string));
    else pieces.push(literal(char));
  }
  for (const braces of open.reverse()) pieces = unbrace(braces);
  return pieces;
}

interface CharSet {
  readonly takes: (char: string) => boolean;
  readonly foreign: boolean;
  /** Index of its `]`. */
  readonly end: number;
}

/** The set whose `[` is at `start`, or null when it is not closed. */
function setAt(chars: readonly string[], start: number): CharSet | null {
  const negated = chars[start + 1] === "!" || chars[start + 1] === "^";
  const first = start + (negated ? 2 : 1);
  const ranges: [low: string, high: string][] = [];
  let at = first;
  const next = (): string => {
    if (chars[at] === "\\" && at + 1 < chars.length) at++;
    return chars[at++] as string;
  };
  while (at < chars.length && (chars[at] !== "]" || at === first)) {
    const low = next();
    const isRange = chars[at] === "-" && at + 1 < chars.length && chars[at + 1] !== "]";
    if (isRange) at++;
    ranges.push([low, isRange ? next() : low]);
  }
  if (at >= chars.length) return null;
  const takes = (char: string): boolean =>
    ranges.some((range) => isWithin(range, char)) !== negated;
  return { takes, foreign: negated || ranges.flat().some(isForeign), end: at };
}

/** Also when its ends were exchanged, as upper and lower case may be once all is in lower case. */
function isWithin(range: readonly string[], char: string): boolean {
  const [low, high] = range.map(codePoint).sort((a, b) => a - b) as [number, number];
  return low <= codePoint(char) && codePoint(char) <= high;
}

const codePoint = (char: string): number => char.codePointAt(0) as number;

const isForeign = (char: string): boolean => !/[a-z0-9_-]/.test(char);
