import { styleText } from "node:util";
import { plainJson } from "../shared/text.ts";

/** Where a command shows things; passed in, so that a test can look. */
export interface Terminal {
  /** The command's result. */
  readonly out: Output;
  /** Progress and everything else that is not the result. */
  readonly err: Output;
}

type Output = NodeJS.WritableStream & { readonly isTTY?: boolean; readonly columns?: number };

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

/** Left-aligned label and value under a common margin. */
export function field(label: string, value: string): string {
  return `  ${label.padEnd(12)}${value}\n`;
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
    this.#stream.write(`\r\u001b[K${text}`);
    this.#shown = true;
  }

  clear(): void {
    if (!this.#shown) return;
    this.#stream.write("\r\u001b[K");
    this.#shown = false;
  }
}
