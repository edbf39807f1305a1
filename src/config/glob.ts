import picomatch from "picomatch";

/** A longer glob, or one with more stars or braces, could take seconds on a name that nearly matches. */
const MAX_LENGTH = 1000;
const MAX_STARS = 4;
const MAX_BRACES = 4;

/** `u`: `?` is one character, also where that is an emoji. */
const OPTIONS = {
  bash: true,
  dot: true,
  nonegate: true,
  posix: true,
  flags: "su",
  // A group behind a star is one.
  noextglob: true,
  // Its short cuts make patterns that are none with `u`.
  fastpaths: false,
} as const;

/**
 * ASCII holds all that means something in a path or a shell and nothing in a name. picomatch
 * need not know of it: on both sides, characters of private use stand for these, in the same order.
 */
const FIRST_STAND_IN = 0xe000;
const LAST_ASCII = 0x7f;

/**
 * Compiles a glob: `*` is any text, also with `/` and `:` in it, `?` one character,
 * `[a-z]` and `[!a-z]` one of a set, `{a,b}` either, and `\` takes what follows as it is.
 * Everything else stands for itself, also a bracket or brace that is not closed and a
 * leading `!`, `#` or dot. No glob matches the empty text.
 */
export function compileGlob(glob: string): (text: string) => boolean {
  return glob === "" ? () => false : matcherOf(translate(glob));
}

/**
 * The same for a glob on an agent's name as its user writes it, when only the id is known that
 * the host makes of it: there, one dash stands for all that an id cannot have, and none at
 * either end. @param glob in lower case
 */
export function compileIdGlob(glob: string): (id: string) => boolean {
  return matcherOf(translate(glob, inId));
}

/** Asks picomatch's expression itself: what it does around it, for each text, is about paths. */
function matcherOf(translated: string): (text: string) => boolean {
  const expression = picomatch.makeRe(translated, OPTIONS);
  return (text) => text !== "" && expression.test(standIns(text));
}

/** Whether a glob is plain enough to be matched in no time. */
export function isGlob(glob: string): boolean {
  const unescaped = glob.replace(/\\./gsu, "");
  const count = (part: RegExp): number => unescaped.match(part)?.length ?? 0;
  return glob.length <= MAX_LENGTH && count(/\*+/g) <= MAX_STARS && count(/\{/g) <= MAX_BRACES;
}

const ANY = `[${String.fromCharCode(FIRST_STAND_IN)}-${String.fromCharCode(FIRST_STAND_IN + LAST_ASCII)}]`;
const DASH = String.fromCharCode(FIRST_STAND_IN + 0x2d);

/** In an id, what an id cannot have is a dash, or left no trace: at either end, or behind the dash that stands for more. */
const TRACE = `(${DASH}|(?<=${DASH})|(?<!${ANY})|(?!${ANY}))`;

/** A piece of a name, as what the host may make of it. */
function inId(piece: string, isForeign: boolean): string {
  if (!isForeign) return piece;
  return piece === "?" || piece.startsWith("[") ? `(${piece}|${TRACE})` : TRACE;
}

const hasForeign = (text: string): boolean => /[^a-z0-9_-]/.test(text.replace(/\\(?=.)/gsu, ""));

/** A set with its `!` and its members, a character that is taken as it is, or any other one. */
const TOKEN = /\[([!^]?)(\]?(?:\\.|[^\]\\])*)\]|\\(.)|(.)/gsu;

/**
 * The glob as picomatch is given it: its syntax, and a stand-in for each other character of ASCII.
 * @param toPiece what is made of a piece that takes one character
 */
function translate(
  glob: string,
  toPiece: (piece: string, isForeign: boolean) => string = (piece) => piece,
): string {
  const braces = bracesOf(glob);
  return glob
    .replace(TOKEN, (token, not: string, members: string, escaped: string, other: string, at) => {
      if (members) {
        return toPiece(`[${not && "^"}${setOf(members)}]`, not !== "" || hasForeign(members));
      }
      if (other === "?") return toPiece(other, true);
      if (other === "*" || braces.has(at)) return token;
      return [...(escaped ?? token)]
        .map((char) => toPiece(standIns(char), hasForeign(char)))
        .join("");
    })
    .replace(/\*+/g, "*");
}

/** Where the braces and commas of `{a,b}` are, as opposed to those that stand for themselves. */
function bracesOf(glob: string): Set<number> {
  const found = new Set<number>();
  const open: number[][] = [];
  for (const { 0: token, index } of glob.matchAll(TOKEN)) {
    if (token === "{") open.push([index]);
    else if (token === ",") open.at(-1)?.push(index);
    else if (token === "}") {
      const places = open.pop() ?? [];
      if (places.length > 1) for (const place of [...places, index]) found.add(place);
    }
  }
  return found;
}

/** Ranges that keep their order when characters of ASCII are replaced; the replacements lie between the last two. */
const BLOCKS = [
  [0, LAST_ASCII],
  [LAST_ASCII + 1, FIRST_STAND_IN - 1],
  [FIRST_STAND_IN + LAST_ASCII + 1, 0x10ffff],
] as const;

/** The members of a set; a range that goes beyond ASCII is two. Its ends may stand in either order, as they may once all is in lower case. */
function setOf(members: string): string {
  return members.replace(
    /(?:\\(.)|(.))-(?:\\(.)|(.))|\\(.)|(.)/gsu,
    (_, ...ends: (string | undefined)[]) => {
      const [low, high = low] = ends
        .slice(0, 6)
        .flatMap((end) => end?.codePointAt(0) ?? [])
        .sort((one, other) => one - other) as [number, number?];
      const pieces = BLOCKS.map(([from, to]) => [Math.max(low, from), Math.min(high, to)] as const);
      return pieces
        .filter(([from, to]) => from <= to)
        .map((ends) => ends.map(standIn).join("-"))
        .join("");
    },
  );
}

const standIn = (point: number): string =>
  String.fromCodePoint(point <= LAST_ASCII ? FIRST_STAND_IN + point : point);

/** Called for each name with each pattern, so without a callback for each character. */
function standIns(text: string): string {
  let replaced = "";
  for (let at = 0; at < text.length; at++) {
    const unit = text.charCodeAt(at);
    replaced += String.fromCharCode(unit <= LAST_ASCII ? FIRST_STAND_IN + unit : unit);
  }
  return replaced;
}
