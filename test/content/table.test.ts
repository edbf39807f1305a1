import { expect, test } from "vitest";
import { CONTENT_LEVELS, type ContentLevel } from "../../src/config/content.ts";
import { createContentFilter } from "../../src/content/filter.ts";

/** A text that is in one place only. */
const said = (place: string): string => `words of the ${place} 🔒`;

const entry = (type: string, rest: object): object => ({
  type,
  id: "e1",
  parentId: "e0",
  timestamp: "2026-11-22T10:00:00.000Z",
  ...rest,
});

const message = (role: string, rest: object): object =>
  entry("message", { message: { role, timestamp: 1795341799708, ...rest } });

/** One of each type, role and block that the host knows, as its types have them. */
const ENTRIES = [
  { type: "session", version: 4, id: "s-1", cwd: said("folder"), parentSession: said("parent") },
  message("user", {
    content: said("question"),
    idempotencyKey: said("idempotency key"),
    MediaPath: said("media path"),
    provenance: { kind: "external_user", sourceSessionKey: said("source session") },
    __openclaw: {
      senderName: said("sender"),
      senderId: said("sender id"),
      humanMentions: [{ name: said("mention") }],
      replyToPreview: { text: said("quoted message"), senderLabel: said("quoted sender") },
      workContext: { selection: said("work context") },
      media: [{ kind: "image", path: said("path of the media"), contentType: "image/png" }],
    },
  }),
  message("user", {
    content: [
      { type: "text", text: said("question in a block") },
      { type: "image", data: said("picture"), mimeType: "image/png", fileName: said("file name") },
      { type: "image_url", image_url: { url: said("address of a picture") } },
      { type: "input_image", source: { type: "url", url: said("source of a picture") } },
      { type: "document", data: said("attached file"), name: said("name of an attached file") },
    ],
  }),
  message("user", {
    content: said("report"),
    provenance: { kind: "inter_session", sourceTool: "subagent_announce" },
  }),
  message("user", {
    content: said("scheduled text"),
    provenance: { kind: "internal_system", sourceTool: "cron" },
  }),
  message("user", {
    content: `System: [10:00] Exec completed (calm-reef, code 0) :: ${said("background command")}`,
  }),
  message("assistant", {
    provider: "anthropic",
    model: "m-1",
    stopReason: "error",
    content: [
      { type: "text", text: said("answer"), textSignature: said("text signature") },
      { type: "thinking", thinking: said("thought"), thinkingSignature: said("signature") },
      { type: "redacted_thinking", data: said("redacted thought") },
      {
        type: "toolCall",
        id: "call_1",
        name: "exec",
        arguments: { [said("argument's name")]: said("argument") },
        partialArgs: said("partial arguments"),
      },
      { type: "toolUse", id: "call_2", name: said("tool's invented name"), input: said("input") },
      { type: "tool_result", tool_use_id: "call_1", content: said("provider's own tool") },
      { type: "hologram", beam: said("unknown block") },
    ],
    errorMessage: said("error"),
    errorBody: said("body of the error"),
    diagnostics: [
      {
        type: "retry",
        timestamp: 1,
        error: { message: said("diagnosis"), stack: said("stack") },
        details: { request: said("details of the diagnosis") },
      },
    ],
    responseId: said("response id"),
    providerReplay: { v: 1, type: "compaction", data: said("replayed payload") },
    openclawDelivery: { mediaUrls: [said("address of a delivered picture")] },
    providerPayload: { text: said("unknown field") },
  }),
  message("assistant", {
    content: said("answer as a text"),
    errorMessage: `${said("long error")} ${"x".repeat(300)}`,
  }),
  message("toolResult", {
    toolCallId: "call_1",
    toolName: "exec",
    isError: false,
    content: [
      { type: "text", text: said("result") },
      { type: "image", data: said("picture from a tool"), mimeType: "image/png" },
      { type: "resource", resource: { text: said("resource") } },
    ],
    details: {
      status: said("status of its own"),
      exitCode: 0,
      cwd: said("folder of the command"),
      aggregated: said("details of the result"),
    },
  }),
  message("tool", { content: said("result of an old kind") }),
  message("bashExecution", { command: said("command"), output: said("output"), exitCode: 0 }),
  message("custom", { customType: "x", content: said("custom"), details: said("custom details") }),
  message("hookMessage", { content: said("hook") }),
  message("branchSummary", { summary: said("summary of a branch in a message"), fromId: "e0" }),
  message("compactionSummary", { summary: said("summary in a message"), tokensBefore: 5 }),
  message("oracle", { content: said("unknown role") }),
  entry("message", { message: said("message that is a text") }),
  entry("compaction", {
    summary: said("summary"),
    firstKeptEntryId: "e0",
    tokensBefore: 7,
    details: { readFiles: [said("file that was read")], artifacts: said("extension's artifacts") },
  }),
  entry("branch_summary", { summary: said("summary of a branch"), fromId: "e0" }),
  entry("custom", { customType: "memory", data: { note: said("state of an extension") } }),
  entry("custom", {
    customType: "openclaw:prompt-error",
    data: { timestamp: 1, provider: "p", error: said("error of a prompt") },
  }),
  entry("custom_message", {
    customType: "openclaw.runtime-context",
    content: [{ type: "text", text: said("message of an extension") }],
    details: said("details of an extension"),
    display: false,
  }),
  entry("label", { targetId: "e0", label: said("label") }),
  entry("session_info", { name: said("name of the session") }),
  entry("model_change", { provider: "p", modelId: said("name of a model") }),
  entry("thinking_level_change", { thinkingLevel: said("level of thinking") }),
  entry("leaf", { targetId: said("target") }),
  entry("reset", { reason: said("reason") }),
  entry("todo_list", { items: [said("unknown entry")] }),
  { raw: said("line that is no entry") },
  { [said("unknown name")]: 1 },
];

/** The place, and the lowest level at which its text is sent. */
const TABLE: readonly (readonly [place: string, lowest: ContentLevel])[] = [
  ["folder", "no-tool-output"],
  ["parent", "no-tool-output"],
  ["question", "text"],
  ["idempotency key", "no-tool-output"],
  ["media path", "no-tool-output"],
  ["source session", "no-tool-output"],
  ["sender", "no-tool-output"],
  ["sender id", "no-tool-output"],
  ["mention", "no-tool-output"],
  ["quoted message", "no-tool-output"],
  ["quoted sender", "no-tool-output"],
  ["work context", "full"],
  ["path of the media", "no-tool-output"],
  ["question in a block", "text"],
  ["picture", "no-tool-output"],
  ["file name", "no-tool-output"],
  ["address of a picture", "no-tool-output"],
  ["source of a picture", "no-tool-output"],
  ["attached file", "full"],
  ["name of an attached file", "no-tool-output"],
  ["report", "full"],
  ["scheduled text", "text"],
  ["background command", "full"],
  ["answer", "text"],
  ["answer as a text", "text"],
  ["text signature", "no-tool-output"],
  ["thought", "text"],
  ["signature", "no-tool-output"],
  ["redacted thought", "no-tool-output"],
  ["argument's name", "no-tool-output"],
  ["argument", "no-tool-output"],
  ["partial arguments", "no-tool-output"],
  ["tool's invented name", "no-tool-output"],
  ["input", "no-tool-output"],
  ["provider's own tool", "full"],
  ["unknown block", "full"],
  ["error", "no-tool-output"],
  ["long error", "full"],
  ["body of the error", "full"],
  ["diagnosis", "no-tool-output"],
  ["stack", "full"],
  ["details of the diagnosis", "full"],
  ["response id", "no-tool-output"],
  ["replayed payload", "full"],
  ["address of a delivered picture", "no-tool-output"],
  ["unknown field", "full"],
  ["result", "full"],
  ["picture from a tool", "full"],
  ["resource", "full"],
  ["status of its own", "full"],
  ["folder of the command", "full"],
  ["details of the result", "full"],
  ["result of an old kind", "full"],
  ["command", "no-tool-output"],
  ["output", "full"],
  ["custom", "full"],
  ["custom details", "full"],
  ["hook", "full"],
  ["summary of a branch in a message", "full"],
  ["summary in a message", "full"],
  ["unknown role", "full"],
  ["message that is a text", "full"],
  ["summary", "full"],
  ["file that was read", "no-tool-output"],
  ["extension's artifacts", "full"],
  ["summary of a branch", "full"],
  ["state of an extension", "full"],
  ["error of a prompt", "no-tool-output"],
  ["message of an extension", "full"],
  ["details of an extension", "full"],
  ["label", "no-tool-output"],
  ["name of the session", "no-tool-output"],
  ["name of a model", "no-tool-output"],
  ["level of thinking", "no-tool-output"],
  ["target", "no-tool-output"],
  ["reason", "no-tool-output"],
  ["unknown entry", "full"],
  ["line that is no entry", "full"],
  ["unknown name", "full"],
];

function sentAt(level: ContentLevel, images = true): string {
  const filter = createContentFilter({ level, images });
  return JSON.stringify(filter === null ? ENTRIES : ENTRIES.map(filter));
}

const SENT = Object.fromEntries(CONTENT_LEVELS.map((level) => [level, sentAt(level)])) as Record<
  ContentLevel,
  string
>;

test("the table has every place of the entries", () => {
  const places = [...SENT.full.matchAll(/words of the (.+?) 🔒/g)].map(([, place]) => place);
  expect(TABLE.map(([place]) => place).sort()).toEqual([...new Set(places)].sort());
});

test.for(TABLE)("the words of the %s are sent from %s on, and not below", ([place, lowest]) => {
  const levels = CONTENT_LEVELS.filter((level) => SENT[level].includes(said(place)));
  expect(levels).toEqual(CONTENT_LEVELS.slice(0, CONTENT_LEVELS.indexOf(lowest) + 1));
});

test.for(CONTENT_LEVELS)(
  "without images, %s has no picture in it, and still says of which kind",
  (level) => {
    const sent = sentAt(level, false);
    for (const [place] of TABLE.filter(([place]) => place.includes("picture"))) {
      expect(sent).not.toContain(said(place));
    }
    expect(sent).toContain('"mimeType":"image/png"');
    // Nothing else goes with them.
    const rest = TABLE.filter(([place]) => !place.includes("picture"));
    const isIn = (text: string) => rest.filter(([place]) => text.includes(said(place)));
    expect(isIn(sent)).toEqual(isIn(SENT[level]));
  },
);

test("everything is sent without a filter at all by default", () => {
  expect(createContentFilter({ level: "full", images: true })).toBeNull();
});

test.for(["no-tool-output", "text", "metadata"] as const)(
  "at %s a line that is no entry is told by its size",
  (level) => {
    const filter = createContentFilter({ level, images: true });
    expect(filter?.({ raw: "grüße" })).toEqual({ raw: "[left out: 7]" });
    expect(filter?.([1, 2])).toEqual({ raw: "[left out: 5]" });
    const omitted = { omitted: { reason: "line-too-long", bytes: 9_000_000 } };
    expect(filter?.(omitted)).toBe(omitted);
  },
);

test("members of unknown names are one, with the size of all of them", () => {
  const filter = createContentFilter({ level: "metadata", images: true });
  const sent = filter?.(entry("reset", { reason: "idle", hello: "ö", "my secret": { a: [1] } }));
  const size = Buffer.byteLength(JSON.stringify({ hello: "ö", "my secret": { a: [1] } }));
  expect(sent).toEqual(entry("reset", { reason: "idle", "[left out]": `[left out: ${size}]` }));
});

test("what is empty stays as it is", () => {
  const filter = createContentFilter({ level: "metadata", images: true });
  const whole = message("toolResult", { content: [], details: {}, toolName: "x" });
  expect(filter?.(whole)).toBe(whole);
  const empty = message("user", { content: "" });
  expect(filter?.(empty)).toBe(empty);
});
