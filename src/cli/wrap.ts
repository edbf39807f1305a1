/** Without a terminal to fit into, in characters. */
const DEFAULT_WIDTH = 80;

/** What one column is for is lost below this width. */
const NARROWEST = 24;

/**
 * The text broken between words, so that with `indent` characters before each line it fits into the
 * terminal. A word that is too long stands on a line of its own.
 */
export function wrap(text: string, indent: number, columns: number | undefined): string {
  const width = Math.max(NARROWEST, (columns ?? DEFAULT_WIDTH) - indent);
  const lines = [""];
  for (const word of text.split(" ")) {
    const line = lines.at(-1) ?? "";
    if (line === "" || line.length + 1 + word.length <= width) {
      lines[lines.length - 1] = line === "" ? word : `${line} ${word}`;
    } else {
      lines.push(word);
    }
  }
  return lines.join(`\n${" ".repeat(indent)}`);
}
