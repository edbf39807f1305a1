import { assistant } from "./assistant.ts";
import { isCallId, isFlag, isId, isName, isNumber, isTime, isToolName, oneOf } from "./forms.ts";
import { common, given } from "./message-notes.ts";
import { byKind, fact, object, output, own, type Rule } from "./rules.ts";
import { user } from "./user.ts";

const STATUSES = [
  ...["accepted", "running", "pending", "completed", "ok", "success", "skipped"],
  ...["error", "failed", "timeout", "killed", "cancelled", "aborted", "blocked", "forbidden"],
];

const toolResult: Rule = object({
  ...common,
  toolCallId: fact(isCallId),
  toolUseId: fact(isCallId),
  tool_call_id: fact(isCallId),
  tool_use_id: fact(isCallId),
  call_id: fact(isCallId),
  callId: fact(isCallId),
  toolName: fact(isToolName),
  name: fact(isToolName),
  isError: fact(isFlag, output),
  content: given,
  // Any tool may put anything here: only what no tool can say much with is sent.
  details: object({
    status: fact(oneOf(...STATUSES), output),
    durationMs: fact(isNumber, output),
    exitCode: fact(isNumber, output),
    exitSignal: fact(oneOf("SIGTERM", "SIGKILL", "SIGINT", "SIGHUP", "SIGABRT", "SIGSEGV"), output),
    noOutputTimedOut: fact(isFlag, output),
    timedOut: fact(isFlag, output),
    truncated: fact(isFlag, output),
    persistedDetailsTruncated: fact(isFlag, output),
    originalDetailsBytesAtLeast: fact(isNumber, output),
  }),
});

const bashExecution: Rule = object({
  ...common,
  command: own,
  output,
  exitCode: fact(isNumber),
  cancelled: fact(isFlag),
  truncated: fact(isFlag),
  fullOutputPath: own,
});

const fromExtension: Rule = object({
  ...common,
  customType: fact(isName),
  content: given,
  details: output,
});

/** Of a compaction: which files a tool read or wrote, and what an extension adds. */
export const summaryDetails: Rule = object({ readFiles: own, modifiedFiles: own });

const summary: Rule = object({
  ...common,
  // It retells what tools gave back, and ends with some of it word by word.
  summary: output,
  fromId: fact(isId),
  firstKeptEntryId: fact(isId),
  tokensBefore: fact(isNumber),
  tokensAfter: fact(isNumber),
  details: summaryDetails,
});

/** What is in the `message` of an entry. */
export const message: Rule = byKind(
  "role",
  {
    user,
    assistant,
    toolResult,
    toolresult: toolResult,
    tool: toolResult,
    function: toolResult,
    bashExecution,
    custom: fromExtension,
    hookMessage: fromExtension,
    branchSummary: summary,
    compactionSummary: summary,
  },
  object({ role: fact(isName), timestamp: fact(isTime), content: given }),
);
