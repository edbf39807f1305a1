import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { json } from "node:stream/consumers";

/** One call of a tool, as the model asks for it. */
export interface StubToolCall {
  readonly name: string;
  readonly args: Record<string, unknown>;
}

/** What the model says: words, or the tools it wants called before it goes on. */
export type StubAnswer = { readonly text: string } | { readonly toolCalls: StubToolCall[] };

/** What the host asked, cut down to what an answer can depend on. */
export interface StubQuestion {
  /** What the human said last, without what the host added around or after it. */
  readonly said: string;
  /** How many tool results came back since then. */
  readonly toolResults: number;
  /** The names of the tools the host offers. */
  readonly tools: readonly string[];
}

export interface StubModel extends AsyncDisposable {
  /** What goes into the host's `models.providers.<name>.baseUrl`. */
  readonly baseUrl: string;
  /** Every question so far, oldest first. */
  readonly questions: readonly StubQuestion[];
  close(): Promise<void>;
}

export interface StubModelOptions {
  /** @default repeats what was said */
  readonly answer?: (question: StubQuestion) => StubAnswer;
}

interface ChatMessage {
  readonly role: string;
  readonly content?: unknown;
}

interface ChatRequest {
  readonly model: string;
  readonly stream?: boolean;
  readonly messages: ChatMessage[];
  readonly tools?: { readonly function?: { readonly name?: string } }[];
}

const usage = { prompt_tokens: 120, completion_tokens: 24, total_tokens: 144 };

/** A model on loopback that speaks as much of OpenAI's chat completions as OpenClaw uses. */
export async function startStubModel(options: StubModelOptions = {}): Promise<StubModel> {
  const answer = options.answer ?? (({ said }) => ({ text: `You said: ${said}` }));
  const questions: StubQuestion[] = [];

  const server = createServer((request, response) => {
    respond(request, response, (question) => {
      questions.push(question);
      return answer(question);
    }).catch((error: unknown) => response.destroy(error as Error));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };
  return { baseUrl: `http://127.0.0.1:${port}/v1`, questions, close, [Symbol.asyncDispose]: close };
}

async function respond(
  request: IncomingMessage,
  response: ServerResponse,
  answer: (question: StubQuestion) => StubAnswer,
): Promise<void> {
  if (!request.url?.endsWith("/chat/completions")) {
    response.writeHead(404).end();
    return;
  }
  const asked = (await json(request)) as ChatRequest;
  const { finish, ...message } = toMessage(answer(toQuestion(asked)));
  const base = { id: "chatcmpl-stub", created: Math.floor(Date.now() / 1000), model: asked.model };

  if (!asked.stream) {
    response.writeHead(200, { "content-type": "application/json" });
    response.end(
      JSON.stringify({
        ...base,
        object: "chat.completion",
        choices: [{ index: 0, message, finish_reason: finish }],
        usage,
      }),
    );
    return;
  }

  const chunk = (choices: unknown[], rest: object = {}): string =>
    `data: ${JSON.stringify({ ...base, object: "chat.completion.chunk", choices, ...rest })}\n\n`;
  response.writeHead(200, { "content-type": "text/event-stream" });
  response.write(chunk([{ index: 0, delta: message }]));
  response.write(chunk([{ index: 0, delta: {}, finish_reason: finish }]));
  response.end(`${chunk([], { usage })}data: [DONE]\n\n`);
}

function toMessage(answer: StubAnswer) {
  if ("text" in answer) return { role: "assistant", content: answer.text, finish: "stop" };
  return {
    role: "assistant",
    content: null,
    tool_calls: answer.toolCalls.map(({ name, args }, index) => ({
      index,
      // The host refuses an id it has seen before in the same session.
      id: `call_${crypto.randomUUID().replaceAll("-", "").slice(0, 24)}`,
      type: "function",
      function: { name, arguments: JSON.stringify(args) },
    })),
    finish: "tool_calls",
  };
}

function toQuestion({ messages, tools }: ChatRequest): StubQuestion {
  let toolResults = 0;
  let said = "";
  for (const message of messages.toReversed()) {
    if (message.role === "tool") toolResults += 1;
    if (message.role !== "user") continue;
    const text = contentText(message.content);
    // What the host itself wants the model to know comes as one more user message, after the human's.
    if (text.startsWith("<<<BEGIN_OPENCLAW_INTERNAL_CONTEXT>>>")) continue;
    said = withoutHostText(text);
    break;
  }
  const names = (tools ?? []).flatMap((tool) => tool.function?.name ?? []);
  return { said, toolResults, tools: names };
}

function contentText(content: unknown): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) return "";
  return content.map((block: { readonly text?: string }) => block.text ?? "").join("");
}

/** A message reaches the model with the time before it and, the first of a session, facts after it. */
function withoutHostText(text: string): string {
  return text.replace(/^\[[^\]]*\] /, "").replace(/\n\nRuntime: agent=[\s\S]*$/, "");
}
