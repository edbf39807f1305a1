import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { StubAnswer, StubQuestion } from "../../test/support/stub-model.ts";
import { listing, prose, request } from "./phrases.ts";
import { Random } from "./random.ts";

/** The people and the model of the demo: all made up, and the same in every demo. */
export class Talk {
  readonly #random = new Random(1);
  readonly #folder: string;
  #files: [string, ...string[]] = [""];
  /** How often the model reads a file before it answers what was asked last. */
  #rounds = 0;

  /** @param folder gets the files that the agents read */
  constructor(folder: string) {
    this.#folder = folder;
  }

  async writeFiles(): Promise<void> {
    const random = this.#random;
    const contents: [name: string, content: string][] = [
      ["access.log", listing(random, 500)],
      ["übersicht.md", prose(random, 120)],
      ["週報.md", prose(random, 40)],
      ["disk-usage.txt", listing(random, 250)],
    ];
    await mkdir(this.#folder, { recursive: true });
    for (const [name, content] of contents) await writeFile(join(this.#folder, name), content);
    const [first = "", ...rest] = contents.map(([name]) => join(this.#folder, name));
    this.#files = [first, ...rest];
  }

  /** What somebody asks an agent. */
  ask(): string {
    return request(this.#random);
  }

  /** What the model says. */
  readonly answer = ({ toolResults }: StubQuestion): StubAnswer => {
    const random = this.#random;
    if (toolResults === 0) this.#rounds = random.between(0, 2);
    if (toolResults >= this.#rounds) return { text: prose(random, random.between(1, 12)) };
    return { toolCalls: [{ name: "read", args: { path: random.pick(this.#files) } }] };
  };
}
