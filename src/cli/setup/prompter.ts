import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import type { Asked } from "../confirm.ts";

/** The user ended a question: by Ctrl-C, or by the end of the input. */
export class Interrupted extends Error {}

/** Asks one question after the other; the answers come without white space around them. */
export interface Prompter {
  /** @throws {Interrupted} */
  ask(question: string): Promise<string>;
  /** Nothing of what is typed is shown. @throws {Interrupted} */
  askSecret(question: string): Promise<string>;
}

/** Null where nobody can be asked. @param signal ends a question like Ctrl-C */
export function prompterOn(asked: Asked, signal: AbortSignal): Prompter | null {
  if (asked.input.isTTY !== true || asked.output.isTTY !== true) return null;
  return {
    ask: (question) => answerTo(question, asked, signal),
    async askSecret(question) {
      asked.output.write(question);
      try {
        return await answerTo("", { input: asked.input, output: nowhere() }, signal);
      } finally {
        asked.output.write("\n");
      }
    },
  };
}

async function answerTo(
  question: string,
  { input, output }: Asked,
  signal: AbortSignal,
): Promise<string> {
  // As a terminal, where the line is edited here: so it need not be shown. No history, which would hold it.
  const lines = createInterface({ input, output, terminal: true, historySize: 0 });
  try {
    const ended = new Promise<never>((_resolve, reject) => {
      const interrupt = (): void => reject(new Interrupted("interrupted"));
      lines.once("SIGINT", interrupt).once("close", interrupt);
      if (signal.aborted) interrupt();
      else signal.addEventListener("abort", interrupt, { once: true });
    });
    return (await Promise.race([lines.question(question), ended])).trim();
  } finally {
    lines.close();
  }
}

function nowhere(): Writable {
  return new Writable({ write: (_chunk, _encoding, done) => done() });
}
