import fc from "fast-check";
import { expect, test } from "vitest";
import { boundary, viewsOf } from "../../src/redaction/view.ts";

/** The bytes between the quotes. */
const literalOf = (text: string): Buffer => Buffer.from(JSON.stringify(text).slice(1, -1));

test("the first view reads as JSON does, whatever the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const literal = literalOf(text);
      const expected = JSON.parse(`"${literal.toString()}"`);
      expect(viewsOf(literal, 0, literal.length)[0]?.text).toBe(expected);
    }),
  );
});

test("each character of a view is told where it comes from", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => {
      const literal = literalOf(text);
      for (const { text: seen, bytes, map } of viewsOf(literal, 0, literal.length)) {
        expect(map).toHaveLength(seen.length + 1);
        expect(bytes).toHaveLength(seen.length);
        expect(map.at(-1)).toBe(literal.length);
        expect([...map].every((at, index) => index === 0 || at >= (map[index - 1] ?? 0))).toBe(
          true,
        );
      }
    }),
  );
});

test("JSON in JSON in JSON is undone, and percent-encoding last", () => {
  const text = 'größe "a"\n😀';
  const literal = literalOf(JSON.stringify(JSON.stringify(text)));
  expect(viewsOf(literal, 0, literal.length).map((view) => view.text)).toContain(
    JSON.stringify(text).slice(1, -1).length > 0 ? `""${text}""` : "",
  );
  const encoded = literalOf(encodeURIComponent(text));
  expect(viewsOf(encoded, 0, encoded.length).at(-1)?.text).toBe(text);
});

test("a literal is cut neither within an escape nor within a character", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", minLength: 1 }), fc.nat(), (text, position) => {
      const literal = literalOf(text);
      const from = position % (literal.length + 1);
      const cut = boundary(literal, 0, from, literal.length);
      const parts = [literal.subarray(0, cut), literal.subarray(cut)].map((part) =>
        JSON.parse(`"${part.toString()}"`),
      );
      expect(cut).toBeGreaterThanOrEqual(Math.min(from, literal.length));
      expect(parts.join("")).toBe(text.isWellFormed() ? text : parts.join(""));
    }),
  );
});
