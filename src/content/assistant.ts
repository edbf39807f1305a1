import { spokenBlocks } from "./blocks.ts";
import { isFlag, isModel, isName, isNumber, isTime } from "./forms.ts";
import { common } from "./message-notes.ts";
import { error, fact, list, object, output, own, type Rule, textOr, words } from "./rules.ts";

const tokens = {
  input: fact(isNumber),
  output: fact(isNumber),
  cacheRead: fact(isNumber),
  cacheWrite: fact(isNumber),
  cacheWrite1h: fact(isNumber),
  reasoning: fact(isNumber),
  reasoningTokens: fact(isNumber),
};

const usage: Rule = object({
  ...tokens,
  total: fact(isNumber),
  totalTokens: fact(isNumber),
  cost: object({ ...tokens, total: fact(isNumber), totalOrigin: fact(isName) }),
  cacheTelemetry: object({ state: fact(isName) }),
  contextUsage: object({
    state: fact(isName),
    promptTokens: fact(isNumber),
    totalTokens: fact(isNumber),
  }),
});

const diagnostics = list(
  object({
    type: fact(isName),
    timestamp: fact(isTime),
    error: object({
      name: fact(isName),
      code: fact((value) => isNumber(value) || isName(value)),
      message: error,
      stack: output,
    }),
    details: output,
  }),
);

/** A message of role `assistant`. */
export const assistant: Rule = object({
  ...common,
  content: textOr(words, spokenBlocks(words)),
  api: fact(isName),
  provider: fact(isName),
  model: fact(isModel),
  responseModel: fact(isModel),
  usage,
  stopReason: fact(isName),
  endTurn: fact(isFlag),
  errorCode: fact(isName),
  errorType: fact(isName),
  errorMessage: error,
  errorBody: output,
  diagnostics,
  responseId: own,
  turnId: own,
  // What a provider wants back as it was, which can be all of the conversation.
  providerReplay: object({
    v: fact(isNumber),
    type: fact(isName),
    provider: fact(isName),
    api: fact(isName),
    model: fact(isModel),
    replayIndex: fact(isNumber),
    id: own,
    baseUrlHash: own,
    sessionHash: own,
    authProfileHash: own,
    data: output,
  }),
  openclawDelivery: own,
  openclawDeliveryMirror: own,
  openclawDisplayContent: own,
  openclawStreamFallback: own,
  openclawTtsSupplement: own,
  MediaPath: own,
  MediaPaths: own,
  MediaUrl: own,
  MediaUrls: own,
});
