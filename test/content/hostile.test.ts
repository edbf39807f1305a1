import fc from "fast-check";
import { expect, test } from "vitest";
import { createContentFilter, filterPayload } from "../../src/content/filter.ts";
import { binary, decoded, filterOf, realEntries } from "./support.ts";

const SENTINEL = "sentinel 4711 of a secret";

/** As it could be hidden: alone, in other texts, in what looks like a form that is let through. */
const secret = fc.constantFrom(
  SENTINEL,
  ` ${SENTINEL}`,
  `claude-${SENTINEL}`,
  `image/png; name="${SENTINEL}"`,
  `2026-11-22T10:00:00Z ${SENTINEL}`,
  `2026-11-22T10:00:00Z\n${SENTINEL}`,
  `stop\n${SENTINEL}`,
  `[left out: 5] ${SENTINEL}`,
  `[left out: 5]\n${SENTINEL}`,
  `/home/${SENTINEL}`,
);

/** Names that mean something to the host or to the language, and others. */
const name = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...namesIn(realEntries())) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      ...["thinking", "thinkingSignature", "input", "source", "url", "image_url", "name", "label"],
      ...["summary", "display", "command", "output", "provenance", "kind", "sourceTool", "media"],
      ...["error", "diagnostics", "providerReplay", "raw", "omitted", "reason", "targetId", "cost"],
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      ...["__proto__", "constructor", "toString", "toJSON", "valueOf", "length", "0", ""],
      ...[SENTINEL, "[left out]"],
    ),
  },
);

const kind = fc.constantFrom(
  ...["message", "compaction", "branch_summary", "custom", "custom_message", "label", "session"],
  ...["user", "assistant", "toolResult", "tool", "bashExecution", "custom", "hookMessage"],
  ...["text", "thinking", "toolCall", "image", "image_url", "tool_result", "document", "unknown"],
  ...["model-snapshot", "openclaw:prompt-error", "external_user", "exec", "cron", "line-too-long"],
);

const { value } = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 6, depthIdentifier: "entry" },
    { weight: 3, arbitrary: secret },
    { weight: 2, arbitrary: kind },
    { weight: 1, arbitrary: fc.constantFrom(0, 1.5, true, false, null, "", "a-1", "e 1") },
    {
      weight: 5,
      arbitrary: fc
        .array(fc.tuple(name, tie("value")), { maxLength: 7 })
        .map((members) => Object.fromEntries(members)),
    },
    { weight: 3, arbitrary: fc.array(tie("value"), { maxLength: 4 }) },
  ),
}));

/** An entry with kinds where they belong, so that the rest is looked at as what it says it is. */
const likely = fc
  .tuple(kind, kind, fc.array(fc.tuple(kind, value), { maxLength: 4 }), value, value)
  .map(([type, role, blocks, rest, more]) => ({
    ...asMembers(more),
    type,
    customType: role,
    message: {
      ...asMembers(rest),
      role,
      content: blocks.map(([type, block]) => ({ ...asMembers(block), type })),
    },
  }));

/** A real one with something else in one of its places. */
const spoiled = fc
  .tuple(fc.constantFrom(...realEntries()), fc.nat(), fc.oneof(secret, value), name)
  .map(([entry, at, other, called]) => spoil(entry, at, other, called));

const hostile = fc.oneof(value, likely, spoiled);

test("whatever an entry is, nothing said in it is sent at metadata", () => {
  const filter = filterOf({ level: "metadata" });
  fc.assert(
    fc.property(hostile, (entry) => {
      const sent = decoded(filterPayload(binary(JSON.stringify(entry)), filter));
      expect(sent).not.toContain("sentinel");
      expect(sent).not.toContain("4711");
    }),
    { numRuns: 5000 },
  );
});

test("whatever a tool gave back, nothing of it is sent below full", () => {
  const output = fc.record(
    {
      role: fc.constantFrom("toolResult", "tool", "function", "custom", "hookMessage", "unknown"),
      content: fc.oneof(secret, value),
      details: fc.oneof(secret, value),
      isError: fc.oneof(secret, value),
    },
    { requiredKeys: ["role"] },
  );
  fc.assert(
    fc.property(output, fc.constantFrom("no-tool-output", "text"), (message, level) => {
      const entry = { type: "message", id: "e1", message };
      const filter = filterOf({ level: level as "text" });
      expect(JSON.stringify(filter(entry))).not.toContain("sentinel");
    }),
    { numRuns: 3000 },
  );
});

test("whatever the arguments of a tool are, nothing of them is sent at text", () => {
  fc.assert(
    fc.property(value, fc.constantFrom("toolCall", "toolUse", "tool_use"), (args, type) => {
      const block = { type, name: "x", id: "c1", arguments: args, input: args, partialJson: args };
      const entry = { type: "message", message: { role: "assistant", content: [block] } };
      expect(JSON.stringify(filterOf({ level: "text" })(entry))).not.toContain("sentinel");
    }),
    { numRuns: 2000 },
  );
});

test("whatever an entry is, what is sent is an object on one line, at most six times as long", () => {
  const options = fc.record({
    level: fc.constantFrom("full", "no-tool-output", "text", "metadata"),
    images: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.oneof(hostile, fc.jsonValue()), options, (entry, options) => {
      const filter = createContentFilter(options as Parameters<typeof createContentFilter>[0]);
      if (filter === null) return;
      const line = binary(JSON.stringify({ entry, ...asMembers(entry) }));
      const sent = filterPayload(line, filter);
      expect(sent).not.toContain("\n");
      const parsed: unknown = JSON.parse(decoded(sent));
      expect(parsed).toBeTypeOf("object");
      expect(sent.length).toBeLessThan(6 * line.length + 64);
    }),
    { numRuns: 3000 },
  );
});

test("a filter leaves the entry itself as it is", () => {
  fc.assert(
    fc.property(hostile, (entry) => {
      const before = JSON.stringify(entry);
      filterOf({ level: "no-tool-output", images: false })(entry);
      filterOf({ level: "metadata" })(entry);
      expect(JSON.stringify(entry)).toBe(before);
    }),
    { numRuns: 500 },
  );
});

function asMembers(value: unknown): object {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? value : {};
}

function namesIn(value: unknown): string[] {
  if (typeof value !== "object" || value === null) return [];
  const own = Array.isArray(value) ? [] : Object.keys(value);
  return [...new Set([...own, ...Object.values(value).flatMap(namesIn)])];
}

/** A copy with `other` in the place of its n-th member, or with another member beside it. */
function spoil(entry: unknown, n: number, other: unknown, called: string): unknown {
  const copy: unknown = JSON.parse(JSON.stringify(entry));
  const places = placesIn(copy);
  const place = places[n % places.length];
  if (place === undefined) return other;
  const [within, name] = place;
  within[name] = other;
  if (n % 3 === 0 && !Array.isArray(within)) within[called] = other;
  return copy;
}

function placesIn(value: unknown): [within: Record<string, unknown>, name: string][] {
  if (typeof value !== "object" || value === null) return [];
  const within = value as Record<string, unknown>;
  return Object.keys(within).flatMap((name) => [
    [within, name] as [Record<string, unknown>, string],
    ...placesIn(within[name]),
  ]);
}
