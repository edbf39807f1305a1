import { outputBlocks } from "./blocks.ts";
import {
  isFlag,
  isId,
  isMime,
  isName,
  isNumber,
  isTime,
  isToolName,
  isUuid,
  isWord,
} from "./forms.ts";
import { fact, list, object, output, own, type Rule, type Shape, textOr } from "./rules.ts";

/** Content that a tool gave back or an extension put in. */
export const given: Rule = textOr(output, outputBlocks);

/** The media that came with a message; where they lie is a path or an address. */
const mediaFacts = list(
  object({
    kind: fact(isName),
    contentType: fact(isMime),
    mimeType: fact(isMime),
    bytes: fact(isNumber),
    size: fact(isNumber),
    sizeBytes: fact(isNumber),
    transcribed: fact(isFlag),
    path: own,
    url: own,
    name: own,
    fileName: own,
    messageId: own,
    workspaceDir: own,
  }),
);

/** The host's own notes on a message. Who sent it is named in many of them. */
const notes = object({
  id: fact(isId),
  runId: fact(isUuid),
  steerTargetRunId: fact(isUuid),
  itemId: own,
  senderIsOwner: fact(isFlag),
  contextFreeCommand: fact(isFlag),
  lateMedia: fact(isFlag),
  turnTainted: fact(isFlag),
  mirrorOrigin: fact(isName),
  resultContentSource: fact(isName),
  media: mediaFacts,
  senderId: own,
  senderName: own,
  senderUsername: own,
  senderIdentity: own,
  humanMentions: own,
  replyToId: own,
  replyToPreview: own,
  transport: own,
  mediaImageLayout: own,
  mediaImageBlockFactIndexes: own,
  intent: own,
  workContext: output,
  upstreamUserText: output,
  idempotencyKey: own,
  beforeAgentRunBlocked: own,
});

/** Where a message that nobody typed came from. */
const provenance = object({
  kind: fact(isName),
  sourceRole: fact(isName),
  sourceTool: fact(isToolName),
  sourceChannel: fact(isWord),
  runId: fact(isUuid),
  originSessionId: own,
  sourceSessionKey: own,
  sourcePromptPrefix: own,
  jobId: own,
});

/** What a message of any role may have. */
export const common: Shape = {
  role: fact(isName),
  timestamp: fact(isTime),
  display: fact(isFlag),
  excludeFromContext: fact(isFlag),
  idempotencyKey: own,
  provenance,
  __openclaw: notes,
};
