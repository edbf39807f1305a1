import { isCallId, isFlag, isMime, isName, isNumber, isToolName } from "./forms.ts";
import { byKind, fact, list, object, output, own, type Rule, type Shape, words } from "./rules.ts";

const type = fact(isName);

/** @param type of the block @param data the rule for what is in the medium, or leads to it */
function media(type: Rule, data: Rule, name: Rule): Rule {
  const about: Shape = {
    type,
    mimeType: fact(isMime, name),
    mime_type: fact(isMime, name),
    mediaType: fact(isMime, name),
    media_type: fact(isMime, name),
    bytes: fact(isNumber, data),
    size: fact(isNumber, data),
    sizeBytes: fact(isNumber, data),
    width: fact(isNumber, data),
    height: fact(isNumber, data),
    durationMs: fact(isNumber, data),
    data,
    url: data,
  };
  return object({
    ...about,
    source: object(about),
    image_url: data,
    path: name,
    name,
    fileName: name,
    filename: name,
    alt: name,
  });
}

/** What a block is to a tool; its name is all of it that is sent below `no-tool-output`. */
const call: Rule = object({
  type,
  id: fact(isCallId),
  call_id: fact(isCallId),
  name: fact(isToolName),
  arguments: own,
  input: own,
  partialArgs: own,
  partialJson: own,
  thoughtSignature: own,
  executionMode: fact(isName),
  async: fact(isFlag),
});

/** In a message: what providers run themselves gives back its results there. */
const result: Rule = object({
  type,
  id: fact(isCallId),
  toolCallId: fact(isCallId),
  toolUseId: fact(isCallId),
  tool_use_id: fact(isCallId),
  tool_call_id: fact(isCallId),
  call_id: fact(isCallId),
  name: fact(isToolName),
  toolName: fact(isToolName),
  isError: fact(isFlag, output),
  is_error: fact(isFlag, output),
  content: output,
  output,
});

const image = media(type, own, own);
/** The content of a file, whoever attached it. */
const file = media(type, output, own);

const thinking: Rule = object({
  type,
  thinking: words,
  thinkingSignature: own,
  signature: own,
  redacted: fact(isFlag),
});

/** The blocks of what a person or a model said. @param text the rule for their texts */
export function spokenBlocks(text: Rule): Rule {
  const written = object({ type, text, textSignature: own });
  const kinds = {
    text: written,
    input_text: written,
    output_text: written,
    thinking,
    redacted_thinking: object({ type, data: own }),
    toolCall: call,
    toolUse: call,
    tool_use: call,
    functionCall: call,
    function_call: call,
    server_tool_use: call,
    mcp_tool_use: call,
    toolResult: result,
    tool_result: result,
    function_call_output: result,
    image,
    input_image: image,
    image_url: image,
    audio: file,
    video: file,
    file,
    input_file: file,
    document: file,
  };
  return list(byKind("type", kinds, object({ type })));
}

const givenText: Rule = object({ type, text: output, textSignature: output });
const givenMedia = media(type, output, output);

/** The blocks of what a tool gave back, or what an extension put in. */
export const outputBlocks: Rule = list(
  byKind(
    "type",
    {
      text: givenText,
      image: givenMedia,
      input_image: givenMedia,
      image_url: givenMedia,
      audio: givenMedia,
      video: givenMedia,
      file: givenMedia,
    },
    // Of a block that the host does not know, a tool has chosen even the type.
    object({}),
  ),
);
