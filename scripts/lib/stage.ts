import { styleText } from "node:util";

/** The look of the demo: chapters, commands and what they say. */
export class Stage {
  #chapter = 0;
  /** Whether something was said since the last heading or blank line. */
  #said = false;
  #waiting: NodeJS.Timeout | undefined;
  readonly #out = process.stdout;

  title(text: string): void {
    this.#out.write(`\n${this.#style("bold", text)}\n`);
  }

  chapter(text: string): void {
    this.#chapter += 1;
    this.#out.write(`\n${this.#style("bold", `${this.#chapter}. ${text}`)}\n\n`);
    this.#said = false;
  }

  say(text: string): void {
    this.#out.write(indent(text));
    this.#said = true;
  }

  /** The line that a user would type. */
  command(line: string): void {
    if (this.#said) this.#out.write("\n");
    this.#out.write(`  ${this.#style("cyan", `$ ${line}`)}\n`);
  }

  /** Says that something takes a while; on a terminal, how long it has taken so far. */
  wait(what: string): void {
    if (!this.#out.isTTY) return;
    const startedAt = Date.now();
    const show = (): void => {
      const seconds = Math.round((Date.now() - startedAt) / 1000);
      this.#out.write(`\r\u001b[K  ${this.#style("dim", `${what} … ${seconds} s`)}`);
    };
    show();
    this.#waiting = setInterval(show, 1000);
  }

  waited(): void {
    if (this.#waiting === undefined) return;
    clearInterval(this.#waiting);
    this.#waiting = undefined;
    this.#out.write("\r\u001b[K");
  }

  good(text: string): void {
    this.#out.write(`  ${this.#style("green", `✓ ${text}`)}\n`);
  }

  bad(text: string): void {
    this.#out.write(`  ${this.#style("red", `✗ ${text}`)}\n`);
  }

  /** Colours only where they are seen. */
  #style(format: Parameters<typeof styleText>[0], text: string): string {
    return styleText(format, text, { stream: this.#out });
  }
}

function indent(text: string): string {
  const lines = text.replace(/\n$/, "").split("\n");
  return lines.map((line) => (line === "" ? "\n" : `  ${line}\n`)).join("");
}

export function formatBytes(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
