import { createInterface } from "node:readline/promises";

/** Who can be asked: somebody reads the question and types the answer. */
export interface Asked {
  readonly input: NodeJS.ReadableStream & { readonly isTTY?: boolean };
  readonly output: NodeJS.WritableStream & { readonly isTTY?: boolean };
}

/** Asks for a yes; anything else is a no, and so is the end of the input. Null where nobody can be asked. */
export function asker({
  input,
  output,
}: Asked): ((question: string, signal: AbortSignal) => Promise<boolean>) | null {
  if (input.isTTY !== true || output.isTTY !== true) return null;
  return async (question, signal) => {
    // Not as a terminal: so Ctrl-C is the signal that it is everywhere else.
    const lines = createInterface({ input, output, terminal: false });
    try {
      const ended = new Promise<string>((resolve) => lines.once("close", () => resolve("")));
      const answer = await Promise.race([lines.question(`${question} [y/N] `, { signal }), ended]);
      return /^y(es)?$/i.test(answer.trim());
    } finally {
      lines.close();
    }
  };
}
