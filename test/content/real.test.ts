import { expect, test } from "vitest";
import { filterPayload } from "../../src/content/filter.ts";
import { binary, decoded, filterOf, realEntries, realLines, textsIn } from "./support.ts";

const LOWER = ["no-tool-output", "text", "metadata"] as const;

type Entry = {
  readonly type: string;
  readonly customType?: string;
  readonly message?: {
    readonly role: string;
    readonly content: unknown;
    readonly usage?: unknown;
    readonly toolName?: string;
  };
};

const entries = realEntries() as Entry[];

const at = (level: (typeof LOWER)[number]): Entry[] => entries.map(filterOf({ level })) as Entry[];

const wordsOf = (text: string): string[] => text.split(/[^\p{L}\p{N}]+/u).filter((word) => word);

/** Each two words that stand beside each other. */
const pairsOf = (text: string): string[] => {
  const words = text.split(/\s+/).filter((word) => word);
  return words.slice(1).map((word, i) => `${words[i]} ${word}`);
};

/** What people, models and tools wrote, and where: all that is more than one word. */
const sentences = entries.flatMap(textsIn).filter((text) => /\s/.test(text));

test("at metadata no two words in a row of any sentence are left", () => {
  const left = at("metadata").flatMap(textsIn).join("\n");
  expect(sentences.length).toBeGreaterThan(50);
  expect(sentences.flatMap(pairsOf).filter((pair) => left.includes(pair))).toEqual([]);
});

test("at metadata the only words of sentences that are left are those of the host's own vocabulary", () => {
  const said = new Set(sentences.flatMap(wordsOf));
  const left = at("metadata")
    .flatMap(textsIn)
    .flatMap(wordsOf)
    .filter((word) => /\p{L}{3}/u.test(word) && said.has(word));
  expect([...new Set(left)].sort()).toEqual([
    ...["accepted", "assistant", "cache", "call", "cli", "exec", "gateway", "image"],
    ...["message", "model", "off", "openclaw", "out", "png", "read", "reset"],
    ...["session", "sessions", "stub", "text", "toolCall", "user"],
  ]);
});

test("at metadata every text is a single identifier, a time, or the size of what was left out", () => {
  const texts = at("metadata").flatMap(textsIn);
  const FORM = /^(?:[A-Za-z0-9][A-Za-z0-9_.:/-]{0,63}|\[left out: \d+\])$/;
  expect(texts.filter((text) => text !== "" && !FORM.test(text))).toEqual([]);
});

test("at metadata there is no name of a member that the host does not have", () => {
  const names = (value: unknown): string[] =>
    typeof value === "object" && value !== null
      ? [
          ...(Array.isArray(value) ? [] : Object.keys(value)),
          ...Object.values(value).flatMap(names),
        ]
      : [];
  const left = new Set(at("metadata").flatMap(names));
  expect([...left].filter((name) => !/^(?:[a-zA-Z_0-9]{2,32}|\[left out\])$/.test(name))).toEqual(
    [],
  );
  // Of arguments, not even the names are.
  for (const name of ["command", "path", "task", "arguments.command"]) {
    expect(left.has(name), name).toBe(false);
  }
});

test.for(LOWER)(
  "at %s cost, latency and the course of a session can be told as from all of it",
  (level) => {
    const facts = (entry: Entry): unknown => {
      const { message, ...rest } = JSON.parse(JSON.stringify(entry));
      const { type, id, parentId, timestamp, modelId, provider, thinkingLevel, tokensBefore } =
        rest;
      const content = Array.isArray(message?.content)
        ? message.content.map((block: Record<string, unknown>) => [
            block.type,
            block.name,
            block.id,
          ])
        : typeof message?.content;
      return [
        [type, id, parentId, timestamp, modelId, provider, thinkingLevel, tokensBefore],
        message && [message.role, message.timestamp, message.provider, message.model, message.api],
        message && [message.usage, message.stopReason, message.toolName, message.toolCallId],
        message && [
          message.isError,
          message.details?.durationMs,
          message.details?.exitCode,
          content,
        ],
      ];
    };
    expect(at(level).map(facts)).toEqual(entries.map(facts));
  },
);

test("at no-tool-output only results of tools, state of extensions, summaries and bodies of errors are touched", () => {
  const filter = filterOf({ level: "no-tool-output" });
  const touched = entries
    .filter((entry) => filter(entry) !== entry)
    .map(({ type, message, customType }) => message?.role ?? customType ?? type);
  expect([...new Set(touched)].sort()).toEqual([
    "assistant",
    "compaction",
    "openclaw.cache-ttl",
    "toolResult",
  ]);
  const results = entries.filter(({ message }) => message?.role === "toolResult");
  expect(touched.filter((one) => one === "toolResult")).toHaveLength(results.length);
  expect(touched.filter((one) => one === "assistant")).toHaveLength(1);
});

test("at no-tool-output an entry of which nothing is left out keeps its bytes", () => {
  const filter = filterOf({ level: "no-tool-output" });
  const whole = realLines().filter((line) => {
    const entry: unknown = JSON.parse(line);
    return filter(entry) === entry;
  });
  expect(whole.length).toBeGreaterThan(50);
  expect(whole.map((line) => decoded(filterPayload(binary(line), filter)))).toEqual(whole);
});

test("at text all that users and models said is there, and no arguments, paths or results", () => {
  const spoken = entries.flatMap(({ message }) =>
    message?.role === "user" || message?.role === "assistant"
      ? typeof message.content === "string"
        ? [message.content]
        : (message.content as { text?: string }[]).flatMap(({ text }) => text ?? [])
      : [],
  );
  const left = new Set(at("text").flatMap(textsIn));
  expect(spoken.filter((text) => !left.has(text))).toEqual([]);
  const prose = [...left].filter((text) => /\s/.test(text) && !/^\[left out/.test(text));
  expect(prose.filter((text) => !spoken.includes(text))).toEqual([]);
  expect([...left].filter((text) => /^\/(?:home|opt|etc)\b/.test(text))).toEqual([]);
});

test.for(LOWER)("at %s a size is that of what was left out", (level) => {
  const filter = filterOf({ level });
  const results = entries.flatMap((entry) =>
    entry.message?.role === "toolResult"
      ? [{ entry, content: entry.message.content as { text: string }[] }]
      : [],
  );
  expect(results.length).toBeGreaterThan(5);
  for (const { entry, content } of results) {
    const text = content[0]?.text ?? "";
    expect(textsIn(filter(entry))).toContain(`[left out: ${Buffer.byteLength(text)}]`);
  }
});
