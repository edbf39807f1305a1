import picomatch from "picomatch";

/** A longer glob, or one with more stars, could take seconds on a name that nearly matches. */
const MAX_LENGTH = 1000;
const MAX_STARS = 4;

const OPTIONS = { bash: true, dot: true, nonegate: true, posix: true, flags: "s" } as const;

/**
 * What means something in a path or a shell and nothing in a name. picomatch need not know
 * of it: on both sides characters of private use stand for these.
 */
const FOREIGN = "/.()|+@#$";
const FIRST_STAND_IN = 0xe000;

const SYNTAX = "*?[]{},\\";

/**
 * Compiles a glob: `*` is any text, also with `/` and `:` in it, `?` one character,
 * `[a-z]` and `[!a-z]` one of a set, `{a,b}` either, and `\` takes what follows as it is.
 * Everything else stands for itself, also a bracket or brace that is not closed and a
 * leading `!`, `#` or dot. No glob matches the empty text.
 */
export function compileGlob(glob: string): (text: string) => boolean {
  const matches = picomatch(patternOf(glob), OPTIONS);
  return (text) => matches(plain(text));
}

/** Whether a glob can be compiled, and is plain enough to be matched in no time. */
export function isGlob(glob: string): boolean {
  if (glob.length > MAX_LENGTH || (glob.match(/\*+/g) ?? []).length > MAX_STARS) return false;
  try {
    picomatch.makeRe(patternOf(glob), { ...OPTIONS, debug: true });
    return true;
  } catch {
    return false;
  }
}

function patternOf(glob: string): string {
  const escaped = glob.replace(/\\(.)/gsu, (whole, char: string) =>
    SYNTAX.includes(char) ? whole : char,
  );
  return plain(escaped).replace(/\*+/g, "*");
}

function plain(text: string): string {
  return text.replace(/[/.()|+@#$]/g, (char) =>
    String.fromCodePoint(FIRST_STAND_IN + FOREIGN.indexOf(char)),
  );
}
