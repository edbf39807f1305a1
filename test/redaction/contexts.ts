/** Places in which a secret may stand in a transcript. Each gives one line of JSON. */
export type Context = (text: string) => string;

/** A message of a tool, as OpenClaw writes it. */
export const entry = (text: string): string =>
  JSON.stringify({
    type: "message",
    id: "a1b2c3d4",
    message: { role: "toolResult", content: [{ type: "text", text }] },
  });

/** Some text around what counts, longer than what rules are shown at first. */
const LONG = "The quick brown fox jumps over the lazy dog, again and again. ".repeat(40);

export const CONTEXTS: Readonly<Record<string, Context>> = {
  bare: entry,
  prose: (text) => entry(`${LONG}Please use ${text} for now, ok? ${LONG}`),
  shell: (text) => entry(`$ ./deploy.sh ${text}\n\u001b[32m${text}\u001b[0m\nok\n`),
  "JSON in JSON": (text) => entry(JSON.stringify({ out: `a\n${text}\nb` })),
  "JSON in JSON twice": (text) =>
    entry(JSON.stringify({ o: JSON.stringify({ out: `a\n${text}\nb` }) })),
  Markdown: (text) => entry(`# Setup\n\n- run \`${text}\`\n\n\`\`\`sh\n${text}\n\`\`\`\n`),
  URL: (text) => entry(`https://example.com/cb?state=1&x=${encodeURIComponent(text)}&y=2`),
  diff: (text) => entry(`@@ -1,2 +1,2 @@\n context\n-${text}\n+${text}\n`),
  CJK: (text) => entry(`使用${text}，好的。設定：${text}`),
  CRLF: (text) => entry(`one\r\n${text}\r\ntwo\r\n`),
  "cut off": (text) => entry(`${LONG}\n${text}`),
};
