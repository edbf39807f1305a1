import { expect, test } from "vitest";
import { manifestSchema, type Schema } from "../../scripts/manifest.ts";
import { type Config, formatConfigProblem, readConfig } from "../../src/config/config.ts";

const MINIMAL = { apiKey: "sk-1", deploymentId: "laptop", projectId: "p" };

function nested(path: string, value: unknown): Record<string, unknown> {
  return path
    .split(".")
    .reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Record<string, unknown>;
}

function read(path: string, value: unknown): Config {
  const result = readConfig({ ...MINIMAL, ...nested(path, value) });
  if (!result.ok) throw new Error(result.problems.map(formatConfigProblem).join("\n"));
  return result.config;
}

/** Each option as its form writes it, and as text that means the same. */
const SPELLINGS: Readonly<Record<string, readonly (readonly [unknown, ...unknown[]])[]>> = {
  apiKey: [["sk-2", " sk-2\n"]],
  deploymentId: [
    ["laptop", " laptop "],
    ["42", 42],
  ],
  projectId: [
    ["p-1", "p-1 "],
    ["42", 42],
  ],
  apiUrl: [["https://a.example", " https://a.example/ "]],
  allowInsecureHttp: [
    [true, "true", " True "],
    [false, "false", "FALSE"],
  ],
  onDelete: [["forget", " Forget"]],
  content: [["text", " Text "]],
  "content.level": [["no-tool-output", "No-Tool-Output "]],
  "content.images": [[false, "false"]],
  "redact.secrets": [[false, "false"]],
  "redact.disable": [[["jwt", "npm-token"], "jwt, npm-token", " jwt,npm-token,"]],
  "redact.patterns": [[[{ id: "ticket", pattern: "T-[0-9]{8}" }]]],
  "redact.values": [[["DB_PASSWORD", "TOKEN"], "DB_PASSWORD,TOKEN"]],
  "upload.every": [
    ["30", " 30 "],
    [30, 30],
    ["30s", "30 s"],
  ],
  "upload.onChange": [[false, "false"]],
  "upload.retryAttempts": [[0, "0"]],
  "upload.retryBackoffMs": [[100, " 100 "]],
  "upload.timeoutMs": [[100, "100.0"]],
  "upload.maxFilesPerRun": [[100, "100"]],
  "upload.maxBytesPerRun": [[1_000_000, "1000000"]],
  "upload.concurrency": [[8, "8"]],
  "tls.ca": [["/etc/ssl/root.pem", " /etc/ssl/root.pem "]],
  "filter.agents.allow": [[["main", "team-*"], "main, team-*"]],
  "filter.agents.deny": [[["scratch"], "scratch", " scratch ,"]],
  "filter.agents.content": [[{ ops: "metadata" }, { ops: " Metadata" }]],
  "filter.sessions.allow": [[["work-{a,b}", "x"], "work-{a,b},x"]],
  "filter.sessions.deny": [
    [["a\\,b", "c"], "a\\,b, c"],
    [["7", "8"], [7, "8"], "7,8"],
  ],
  "filter.since": [["2026-11-27", " 2026-11-27 "]],
  "filter.kinds": [[["cron", "group"], "cron, Group"]],
  "filter.minMessages": [[0, "0"]],
  "filter.minBytes": [[1, "1"]],
};

test.for(
  Object.entries(SPELLINGS).flatMap(([path, list]) =>
    list.flatMap(([natural, ...others]) => others.map((other) => [path, natural, other] as const)),
  ),
)("%s: %j may be written as %j", ([path, natural, other]) => {
  expect(asRead(path, other)).toEqual(asRead(path, natural));
});

/** An interval is shown as it was written, and what counts is how long it is. */
function asRead(path: string, value: unknown): unknown {
  const config = read(path, value);
  return { ...config, upload: { ...config.upload, every: config.everyMs } };
}

test("each option has a spelling here that differs from its default", () => {
  const paths = (schema: Schema, parent = ""): string[] =>
    Object.entries(schema.properties ?? schema.anyOf?.[0]?.properties ?? {}).flatMap(
      ([name, option]) => {
        const path = parent === "" ? name : `${parent}.${name}`;
        const below = paths(option, path);
        return below.length === 0 ? [path] : below;
      },
    );
  const unset = read("apiKey", MINIMAL.apiKey);
  for (const path of paths(manifestSchema())) {
    if (path === "tls.cert" || path === "tls.key") continue; // Only together, see config.test.ts.
    const natural = SPELLINGS[path]?.[0]?.[0];
    expect(natural, path).toBeDefined();
    if (path !== "deploymentId") expect(read(path, natural), path).not.toEqual(unset);
  }
});

test.for([
  ["upload.maxFilesPerRun", "10MB"],
  ["upload.maxFilesPerRun", "1e3"],
  ["upload.maxFilesPerRun", "0x10"],
  ["upload.maxFilesPerRun", ""],
  ["upload.maxFilesPerRun", "1.5"],
  ["upload.concurrency", "9"],
  ["content.images", "no"],
  ["content.images", 0],
  ["redact.secrets", ""],
  ["onDelete", "forget it"],
  ["deploymentId", 1.5],
  ["filter.sessions.allow", ","],
  ["filter.sessions.allow", [""]],
  ["filter.sessions.deny", [null]],
  ["filter.kinds", ""],
] as const)("%s: %j means nothing and is refused", ([path, value]) => {
  expect(() => read(path, value)).toThrow(`at ${path}`);
});

test.for([[["team-{a", "b}"]], [["x", "team-{a", "b", "c}"]]] as const)(
  "P67: a glob that an editor has cut at a comma is refused: %j",
  ([deny]) => {
    expect(() => read("filter.agents.deny", deny)).toThrow('["team-{a,b}"]');
  },
);

test.for([[["{a", "b"]], [["a}", "{b"]], [["{a,b}", "c}"]]] as const)(
  "P67: braces that belong to one item are taken as they are: %j",
  ([deny]) => {
    expect(read("filter.agents.deny", deny).filter.agents.deny).toEqual(deny);
  },
);
