import type { Dice } from "./dice.ts";

const WORDS = [
  "hello",
  "größe",
  "日本語",
  "🦞",
  "naïve",
  "  ",
  '\\"quoted\\"',
  "\u2028",
  "تجربة",
  "x",
];

/** Entries nobody else has, in all the sizes and forms a transcript has. */
export class EntryMaker {
  readonly #dice: Dice;
  #count = 0;

  constructor(dice: Dice) {
    this.#dice = dice;
  }

  header(id: string): string {
    return JSON.stringify({ type: "session", version: 3, id, n: this.#count++, cwd: "/work" });
  }

  /** An event of a database: always a JSON object. */
  event(): string {
    const dice = this.#dice;
    const size = dice.weighted({ small: 60, page: 10, large: 2 });
    const bytes = { small: dice.int(0, 300), page: 5000, large: 150_000 }[size];
    const n = this.#count++;
    const content = dice.chance(0.3) ? { text: this.#text(bytes) } : this.#text(bytes);
    const type = dice.chance(0.9) ? "message" : "custom_thing";
    return JSON.stringify({
      type,
      id: `e${n}`,
      parentId: null,
      message: { role: "user", content },
    });
  }

  /** A line of a file: now and then no entry at all. */
  line(): string {
    const dice = this.#dice;
    const kind = dice.weighted({ event: 92, raw: 3, blank: 3, crlf: 2 });
    if (kind === "event") return this.event();
    if (kind === "crlf") return `${this.event()}\r`;
    if (kind === "blank") return dice.pick(["", "  ", "\r", "\t"]);
    return `${dice.pick(["not json", "[1,2]", "null", '{"cut":'])} ${this.#count++}`;
  }

  /** A line above what is sent. */
  huge(): string {
    return JSON.stringify({
      type: "message",
      id: `e${this.#count++}`,
      text: "h".repeat(9_000_000),
    });
  }

  #text(bytes: number): string {
    let text = "";
    while (text.length < bytes) text += `${this.#dice.pick(WORDS)} ${this.#dice.int(0, 1e6)} `;
    return text;
  }
}
