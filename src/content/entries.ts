import { isFlag, isId, isModel, isName, isNumber, isTime, isUuid, oneOf } from "./forms.ts";
import { given } from "./message-notes.ts";
import { message, summaryDetails } from "./messages.ts";
import { byKind, error, fact, object, output, own, type Rule, type Shape } from "./rules.ts";

const idOrNone = fact((value) => value === null || isId(value));

/** What every entry may have. */
const common: Shape = {
  type: fact(isName),
  id: fact(isId),
  parentId: idOrNone,
  timestamp: fact(isTime),
  appendMode: fact(isName),
};

/** Retells what tools gave back, and ends with some of it word by word. */
const summary = output;

const summaryNotes = object({ runId: fact(isUuid), itemId: own });

/** State that an extension keeps: only the host's own is known. */
const custom: Rule = byKind(
  "customType",
  {
    "model-snapshot": customOf({
      timestamp: fact(isTime),
      provider: fact(isName),
      modelApi: fact(isName),
      modelId: fact(isModel),
    }),
    "openclaw.cache-ttl": customOf({
      timestamp: fact(isTime),
      provider: fact(isName),
      modelId: fact(isModel),
    }),
    "openclaw:prompt-error": customOf({
      timestamp: fact(isTime),
      runId: fact(isUuid),
      sessionId: own,
      provider: fact(isName),
      model: fact(isModel),
      api: fact(isName),
      error,
    }),
    "openclaw:bootstrap-context:full": customOf({
      timestamp: fact(isTime),
      runId: fact(isUuid),
      sessionId: own,
    }),
    "google-turn-ordering-bootstrap": customOf({ timestamp: fact(isTime) }),
  },
  object({ ...common, customType: fact(isName), data: output }),
);

function customOf(data: Shape): Rule {
  return object({ ...common, customType: fact(isName), data: object(data) });
}

/** What a line becomes that is no entry; an entry without a type that looks so is treated as one. */
const untyped = object({
  ...common,
  raw: output,
  omitted: object({ reason: fact(oneOf("line-too-long"), output), bytes: fact(isNumber, output) }),
});

const hasType = byKind(
  "type",
  {
    session: object({ ...common, version: fact(isNumber), cwd: own, parentSession: own }),
    message: object({ ...common, message }),
    thinking_level_change: object({ ...common, thinkingLevel: fact(isName) }),
    model_change: object({ ...common, provider: fact(isName), modelId: fact(isModel) }),
    compaction: object({
      ...common,
      summary,
      firstKeptEntryId: fact(isId),
      firstKeptEntryIndex: fact(isNumber),
      tokensBefore: fact(isNumber),
      tokensAfter: fact(isNumber),
      fromHook: fact(isFlag),
      details: summaryDetails,
      __openclaw: summaryNotes,
    }),
    reset: object({ ...common, reason: fact(isName), firstKeptEntryId: fact(isId) }),
    branch_summary: object({
      ...common,
      fromId: fact(isId),
      summary,
      fromHook: fact(isFlag),
      details: summaryDetails,
    }),
    custom,
    custom_message: object({
      ...common,
      customType: fact(isName),
      display: fact(isFlag),
      content: given,
      details: output,
    }),
    label: object({ ...common, targetId: fact(isId), label: own }),
    session_info: object({ ...common, name: own }),
    leaf: object({ ...common, targetId: idOrNone, appendParentId: idOrNone }),
  },
  object(common),
);

/** What is sent of an entry of any type, or of none. */
export const entry: Rule = (value, level) => (isTyped(value) ? hasType : untyped)(value, level);

function isTyped(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.hasOwn(value, "type");
}
