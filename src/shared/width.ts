/** Blocks whose characters take two cells in a terminal: Unicode's East Asian Width W and F, and what is drawn as a picture. */
const WIDE =
  /[\u1100-\u115f\u231a\u231b\u2329\u232a\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff01-\uff60\uffe0-\uffe6\u{16fe0}-\u{18d08}\u{1aff0}-\u{1b2fb}\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}|\p{Emoji}\ufe0f/u;

/** What takes none: marks on the character before them, and what is not shown. */
const ZERO = /^[\p{M}\p{Cf}\p{Cc}]+$/u;

/** What takes one cell for each character: ASCII, Latin letters, dashes, quotes, bullets and the ellipsis. */
const PLAIN = /^[\x20-\x7e\xa1-\xac\xae-\u02ff\u2010-\u2027]*$/;

/** Made when the first text asks for it: that takes 12 ms. */
let segmenter: Intl.Segmenter | undefined;

/** What a reader takes for one character each. */
export function* graphemes(text: string): Generator<string> {
  if (PLAIN.test(text)) return yield* text;
  segmenter ??= new Intl.Segmenter(undefined, { granularity: "grapheme" });
  for (const { segment } of segmenter.segment(text)) yield segment;
}

/** Cells that a text without control sequences takes in a terminal. */
export function displayWidth(text: string): number {
  if (PLAIN.test(text)) return text.length;
  let width = 0;
  for (const one of graphemes(text)) width += ZERO.test(one) ? 0 : WIDE.test(one) ? 2 : 1;
  return width;
}

/** A text of at most so many cells, with an ellipsis where it was cut off. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = "";
  let room = width - 1;
  for (const one of graphemes(text)) {
    room -= displayWidth(one);
    if (room < 0) break;
    kept += one;
  }
  return `${kept.trimEnd()}…`;
}

/** A text that fills so many cells at least. */
export function padded(text: string, width: number): string {
  return text + " ".repeat(Math.max(0, width - displayWidth(text)));
}
