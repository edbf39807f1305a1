import fc from "fast-check";
import { expect, test } from "vitest";
import { isSessionId } from "../../src/shared/session-id.ts";
import { classifyName } from "../../src/stores/jsonl/names.ts";

const STAMP = "2026-10-01T08-00-00.000Z";

const name = fc
  .array(
    fc.oneof(
      fc.constantFrom(
        ".jsonl",
        ".reset.",
        ".deleted.",
        ".bak.",
        STAMP,
        ".trajectory",
        ".checkpoint",
      ),
      fc.constantFrom(".tmp", ".lock", ".acp-stream", "probe-x-", "sessions.json", ".", "~", "\n"),
      fc.uuid(),
      fc.string({ unit: "grapheme", maxLength: 5 }),
    ),
    { maxLength: 6 },
  )
  .map((pieces) => pieces.join(""));

test("P56: whatever a file is called, what counts as a session can be told from its name alone", () => {
  fc.assert(
    fc.property(name, (text) => {
      const kind = classifyName(text);
      if (kind.kind === "other" || kind.kind === "misnamed") return;
      const { sessionId } = kind;
      expect(isSessionId(sessionId)).toBe(true);
      const tail = kind.kind === "reset" ? `.reset.${kind.at}` : "";
      expect(text).toBe(`${sessionId}.jsonl${tail}`);
      expect(text).not.toMatch(/^\.|\.jsonl\.(?!reset\.)|\.(trajectory|acp-stream)\.jsonl/);
    }),
    { numRuns: 5000 },
  );
});

test("P71: nothing that ends like a session or an archive of one, and is not hidden, is passed over but the known other files", () => {
  const id = fc.string({ unit: "binary", minLength: 1, maxLength: 12 });
  const tail = fc.constantFrom(
    ".jsonl",
    ".JSONL",
    ".Jsonl",
    `.jsonl.reset.${STAMP}`,
    ".jsonl.reset.x",
  );
  fc.assert(
    fc.property(id, tail, (stem, end) => {
      fc.pre(!/^\.|^probe-|\.jsonl|\.(?:trajectory|acp-stream)$|\.checkpoint\./i.test(stem));
      expect(classifyName(stem + end).kind).not.toBe("other");
    }),
    { numRuns: 2000 },
  );
});

test("P20: every plain id has a file of its own", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,60}$/), (id) => {
      fc.pre(!id.startsWith("probe-"));
      expect(classifyName(`${id}.jsonl`)).toEqual({ kind: "live", sessionId: id });
      expect(classifyName(`${id}.jsonl.reset.${STAMP}`)).toEqual({
        kind: "reset",
        sessionId: id,
        at: STAMP,
      });
      expect(classifyName(`${id}.jsonl.deleted.${STAMP}`)).toEqual({ kind: "other" });
    }),
  );
});
