import { PassThrough } from "node:stream";
import { setImmediate } from "node:timers/promises";
import { expect, test } from "vitest";
import { Interrupted, prompterOn } from "../../src/cli/setup/prompter.ts";

const CTRL_C = "\u0003";
const CTRL_D = "\u0004";
const SECRET = "sk-sentinel-of-a-prompt";

/** A terminal on which a test types, and all that it shows. */
function terminal() {
  const raw: boolean[] = [];
  const setRawMode = (mode: boolean): unknown => raw.push(mode);
  const input = Object.assign(new PassThrough(), { isTTY: true, setRawMode });
  const output = Object.assign(new PassThrough(), { isTTY: true, columns: 80 });
  return { input, output, raw, shown: () => String(output.read() ?? "") };
}

const never = new AbortController().signal;

test("P101: nothing of a secret is shown while it is typed, and its answer is whole", async () => {
  const { input, output, shown, raw } = terminal();
  const prompter = prompterOn({ input, output }, never);
  const answered = prompter?.askSecret("Key: ");
  for (const character of `${SECRET.slice(0, -1)}xx\u007f\u007ft\r`) {
    input.write(character);
    await setImmediate();
  }
  expect(await answered).toBe(SECRET);
  expect(shown()).toBe("Key: \n");
  // The terminal echoes nothing itself, and is given back as it was.
  expect([raw[0], raw.at(-1)]).toEqual([true, false]);
});

test("an answer comes without white space, and one question after the other", async () => {
  const { input, output } = terminal();
  const prompter = prompterOn({ input, output }, never);
  const first = prompter?.ask("First: ");
  input.write("  one \r");
  expect(await first).toBe("one");
  const second = prompter?.ask("Second: ");
  input.write("two\r");
  expect(await second).toBe("two");
});

test.for([
  ["Ctrl-C", CTRL_C],
  ["Ctrl-D", CTRL_D],
])("%s ends a question", async ([, key = ""]) => {
  for (const kind of ["ask", "askSecret"] as const) {
    const { input, output } = terminal();
    const asked = prompterOn({ input, output }, never)?.[kind]("Key: ");
    input.write(`sk${key === CTRL_D ? "\u007f\u007f" : ""}${key}`);
    await expect(asked).rejects.toThrow(Interrupted);
  }
});

test("a signal, before or during, ends a question", async () => {
  const { input, output } = terminal();
  const stop = new AbortController();
  const asked = prompterOn({ input, output }, stop.signal)?.ask("Project: ");
  stop.abort();
  await expect(asked).rejects.toThrow(Interrupted);
  await expect(prompterOn({ input, output }, stop.signal)?.ask("?")).rejects.toThrow(Interrupted);
});

test("where input or output is no terminal, nobody is asked", () => {
  const { input, output } = terminal();
  expect(prompterOn({ input: new PassThrough(), output }, never)).toBeNull();
  expect(prompterOn({ input, output: new PassThrough() }, never)).toBeNull();
});
