import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { hang, unbroken, wrapLines } from "../../src/cli/wrap.ts";
import { displayWidth, padded, truncate } from "../../src/shared/width.ts";

const terminal = (columns?: number) =>
  Object.assign(new PassThrough(), { isTTY: true, ...(columns === undefined ? {} : { columns }) });

const REASON = "answered 400: the API does not know the project, see whether projectId is right";

test("a reason goes on below its first word, in lines that fit", () => {
  expect(hang("  main/abc: ", REASON, 50)).toBe(
    [
      "  main/abc: answered 400: the API does not know",
      "            the project, see whether projectId is",
      "            right",
    ].join("\n"),
  );
});

test("nothing is wrapped where the output is no terminal", () => {
  expect(wrapLines([REASON.repeat(9)], new PassThrough())).toBe(REASON.repeat(9));
});

test("a terminal that does not say how wide it is has 80 columns", () => {
  const [first = "", second = ""] = wrapLines([`${REASON} ${REASON}`], terminal()).split("\n");
  expect(first.length).toBeLessThanOrEqual(80);
  expect(second).toMatch(/^ {2}\S/);
  expect(wrapLines([REASON], terminal(0))).toBe(REASON);
});

test.each([30, 50, 80])("no line is wider than %d columns, whatever is in it", (width) => {
  const texts = [
    "会話の記録は送信されませんでした。".repeat(9),
    "x".repeat(300),
    `👩‍👩‍👧 ${REASON}`,
  ];
  for (const text of texts) {
    const lines = hang("  ", text, width).split("\n");
    expect(Math.max(...lines.map(displayWidth))).toBeLessThanOrEqual(width);
    expect(
      lines
        .map((line) => line.slice(2))
        .join("")
        .replaceAll(" ", ""),
    ).toBe(text.replaceAll(" ", ""));
  }
});

test("colours take no room, and none is broken apart", () => {
  const red = (text: string): string => `\u001b[31m${text}\u001b[39m`;
  expect(hang("", red("a b c"), 5)).toBe(red("a b c"));
  expect(hang("", red("密".repeat(6)), 8, 0)).toBe(red(`${"密".repeat(4)}\n密密`));
});

test("what belongs together stays in one line", () => {
  expect(hang("", `one two ${unbroken("28 Nov 2026")}`, 15, 0)).toBe("one two\n28 Nov 2026");
});

test("the width of a text is that of what a terminal draws", () => {
  const widths = { abc: 3, 日本語: 6, é: 1, "e\u0301": 1, "👍🏽": 2, "｡": 1, "": 0 };
  for (const [text, width] of Object.entries(widths)) expect(displayWidth(text), text).toBe(width);
});

test("a text is cut off between characters and filled up to a width", () => {
  expect(truncate("日本語", 5)).toBe("日本…");
  expect(truncate("日本語", 4)).toBe("日…");
  expect(truncate("abc", 3)).toBe("abc");
  expect(padded("日本", 6)).toBe("日本  ");
});
