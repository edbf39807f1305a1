import type { AgentMessage } from "openclaw/plugin-sdk/agent-harness-runtime";
import { expect, test } from "vitest";
import { filterOf } from "./support.ts";

/**
 * The names of members as the types of the host that is installed here have them. What a newer
 * host adds fails to compile here, and is left out of what is sent until it has a rule.
 */
type Members<Type> = Record<keyof Type, true>;

type Of<Role extends AgentMessage["role"]> = Extract<AgentMessage, { role: Role }>;

type Assistant = Of<"assistant">;

type Block = Assistant["content"][number];

const common = { role: true, timestamp: true } as const;

const summary = { ...common, summary: true } as const;

const MESSAGES: { [Role in AgentMessage["role"]]: Members<Of<Role>> } = {
  user: { ...common, content: true, runtimeContextCarrier: true },
  assistant: {
    ...common,
    content: true,
    openclawDelivery: true,
    api: true,
    provider: true,
    model: true,
    responseModel: true,
    responseId: true,
    providerReplay: true,
    turnId: true,
    diagnostics: true,
    usage: true,
    stopReason: true,
    endTurn: true,
    errorMessage: true,
    errorCode: true,
    errorType: true,
    errorBody: true,
  },
  toolResult: {
    ...common,
    toolCallId: true,
    toolName: true,
    content: true,
    details: true,
    isError: true,
  },
  bashExecution: {
    ...common,
    command: true,
    output: true,
    exitCode: true,
    cancelled: true,
    truncated: true,
    fullOutputPath: true,
    excludeFromContext: true,
  },
  custom: {
    ...common,
    customType: true,
    content: true,
    display: true,
    excludeFromContext: true,
    details: true,
  },
  branchSummary: { ...summary, fromId: true },
  compactionSummary: {
    ...summary,
    tokensBefore: true,
    tokensAfter: true,
    firstKeptEntryId: true,
    details: true,
  },
};

const BLOCKS: { [Type in Block["type"]]: Members<Extract<Block, { type: Type }>> } = {
  text: { type: true, text: true, textSignature: true },
  thinking: { type: true, thinking: true, thinkingSignature: true, redacted: true },
  toolCall: {
    type: true,
    async: true,
    id: true,
    name: true,
    arguments: true,
    thoughtSignature: true,
    executionMode: true,
  },
};

const USAGE: Members<Assistant["usage"]> = {
  input: true,
  output: true,
  cacheRead: true,
  cacheWrite: true,
  cacheTelemetry: true,
  cacheWrite1h: true,
  contextUsage: true,
  totalTokens: true,
  cost: true,
};

const sent = (message: object): string =>
  JSON.stringify(filterOf({ level: "no-tool-output" })({ type: "message", message }));

test.for(Object.entries(MESSAGES))(
  "every member of a message of %s has a rule",
  ([role, members]) => {
    expect(sent({ ...members, role })).not.toContain('"[left out]"');
  },
);

test.for(Object.entries(BLOCKS))("every member of a block of %s has a rule", ([type, members]) => {
  const content = [{ ...members, type }];
  expect(sent({ role: "assistant", content })).not.toContain('"[left out]"');
});

test("every member of the usage has a rule", () => {
  expect(sent({ role: "assistant", usage: USAGE })).not.toContain('"[left out]"');
});
