import { styleText } from "node:util";
import { plainJson } from "../shared/text.ts";
import { truncate } from "../shared/width.ts";

/** Where a command shows things; passed in, so that a test can look. */
export interface Terminal {
  /** The command's result. */
  readonly out: Screen;
  /** Progress and everything else that is not the result. */
  readonly err: Screen;
}

/** @see {@link https://nodejs.org/api/tty.html} for what a terminal says of itself */
type Screen = NodeJS.WritableStream & {
  readonly isTTY?: boolean;
  readonly columns?: number;
  readonly rows?: number;
};

type Style = Parameters<typeof styleText>[0];

/** Colours for `stream`, which a pipe and NO_COLOR (https://no-color.org) switch off. */
export function painter(stream: Terminal["out"]): (style: Style, text: string) => string {
  const coloured = stream.isTTY === true && (process.env.NO_COLOR ?? "") === "";
  return (style, text) => (coloured ? styleText(style, text, { validateStream: false }) : text);
}

/** The one document of `--json`. */
export function writeJson({ out }: Terminal, document: unknown): void {
  out.write(`${plainJson(document)}\n`);
}

/** One line that is drawn again and again; on anything but a terminal nothing is drawn. */
export class ProgressLine {
  readonly #stream: Terminal["err"];
  #shown = false;

  constructor(stream: Terminal["err"]) {
    this.#stream = stream;
  }

  show(text: string): void {
    if (this.#stream.isTTY !== true) return;
    // A line that goes on in the next one could not be drawn over.
    const shown = truncate(text, (this.#stream.columns || Number.POSITIVE_INFINITY) - 1);
    this.#stream.write(`\r\u001b[K${shown}`);
    this.#shown = true;
  }

  clear(): void {
    if (!this.#shown) return;
    this.#stream.write("\r\u001b[K");
    this.#shown = false;
  }
}
