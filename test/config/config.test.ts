import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { manifestSchema, type Schema } from "../../scripts/manifest.ts";
import { type Config, formatConfigProblem, readConfig } from "../../src/config/config.ts";
import { parseInterval } from "../../src/config/interval.ts";

const MINIMAL = { apiKey: "sk-1", deploymentId: "laptop", projectId: "p" };

const problems = (input: unknown): string[] => {
  const result = readConfig(input);
  return result.ok ? [] : result.problems.map(formatConfigProblem);
};

function configOf(input: unknown): Config {
  const result = readConfig(input);
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return result.config;
}

test("three lines are a whole config; everything else has its documented default", () => {
  expect(readConfig(MINIMAL)).toEqual({
    ok: true,
    config: {
      ...MINIMAL,
      apiUrl: "https://api.influxion.io",
      allowInsecureHttp: false,
      onDelete: "keep",
      everyMs: 900_000,
      content: { level: "full", images: true },
      redact: { secrets: true, disable: [], patterns: [], values: [] },
      upload: {
        every: "15m",
        onChange: true,
        retryAttempts: 3,
        retryBackoffMs: 5000,
        timeoutMs: 30_000,
        maxFilesPerRun: 50,
        maxBytesPerRun: 10_485_760,
        concurrency: 2,
      },
      tls: {},
      filter: {
        agents: { allow: [], deny: [], content: {} },
        sessions: { allow: [], deny: [] },
        kinds: [],
        minMessages: 2,
        minBytes: 512,
      },
    },
    warnings: [],
  });
});

test("nothing at all names the three missing fields", () => {
  for (const input of [undefined, null, {}]) {
    expect(problems(input).map((line) => /at (\w+);/.exec(line)?.[1])).toEqual([
      "apiKey",
      "deploymentId",
      "projectId",
    ]);
  }
});

test.for([
  ["upload", "15m", "upload"],
  ["upload", { every: "soon" }, "upload.every"],
  ["upload", { every: -1 }, "upload.every"],
  ["upload", { retryAttempts: 1.5 }, "upload.retryAttempts"],
  ["upload", { maxBytesPerRun: "10MB" }, "upload.maxBytesPerRun"],
  ["upload", { concurrency: 99 }, "upload.concurrency"],
  ["filter", { agents: { deny: ", " } }, "filter.agents.deny"],
  ["filter", { sessions: { deny: [true] } }, "filter.sessions.deny.0"],
  ["filter", { sessions: { allow: "" } }, "filter.sessions.allow"],
  ["filter", { since: "yesterday" }, "filter.since"],
  ["filter", { since: 20261127 }, "filter.since"],
  ["filter", { kinds: "cron, crons" }, "filter.kinds.1"],
  ["filter", { kinds: ["cron", "crons"] }, "filter.kinds.1"],
  ["filter", { minMessages: null }, "filter.minMessages"],
  ["apiUrl", "api.influxion.io", "apiUrl"],
  ["apiUrl", "https://user:pass@api.influxion.io", "apiUrl"],
  ["apiUrl", "ftp://api.influxion.io", "apiUrl"],
  ["apiKey", "with space", "apiKey"],
  ["apiKey", { source: "env" }, "apiKey"],
  ["allowInsecureHttp", "yes", "allowInsecureHttp"],
  ["onDelete", "delete", "onDelete"],
  ["tls", "company.pem", "tls"],
  ["tls", { ca: "company.pem" }, "tls.ca"],
  ["tls", { ca: "" }, "tls.ca"],
  ["tls", { cert: "/cert.pem" }, "tls.key"],
  ["tls", { key: "~/key.pem" }, "tls.cert"],
  ["content", "ful", "content"],
  ["content", null, "content"],
  ["content", { level: "none" }, "content.level"],
  ["content", { images: "no" }, "content.images"],
  ["filter", { agents: { content: "text" } }, "filter.agents.content"],
  ["filter", { agents: { content: { ops: "txt" } } }, "filter.agents.content.ops"],
  ["filter", { agents: { content: { ops: { level: "text" } } } }, "filter.agents.content.ops"],
  ["filter", { agents: { content: { "@(a|b)": "text" } } }, "filter.agents.content.@(a|b)"],
] as const)("%s: %j is named as %s, with what to write instead", ([option, value, path]) => {
  const found = problems({ ...MINIMAL, [option]: value });
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(
    new RegExp(`^found .+ at ${path.replace(/[.()|]/g, "\\$&")}; expected .+`),
  );
  expect(found[0]).not.toMatch(/Invalid (type|input|format)/);
});

test.for([
  ["https://a.example?", "https://a.example/…"],
  ["https://a.example#", "https://a.example/…"],
  ["https://a.example/?key=sk-secret", "https://a.example/…"],
  ["https://sk-secret@a.example", "https://a.example/…"],
  ["u:sk-secret@a.example", null],
  ["ftp://sk-secret@a.example/sk-secret", null],
  ["sk-secret", null],
  ["sk-secret://a.example", null],
  ["", null],
] as const)(
  "P58: the apiUrl %j is refused, and no more of it is shown than where it leads",
  ([apiUrl, shown]) => {
    const [problem, ...others] = problems({ ...MINIMAL, apiUrl });
    expect(others).toEqual([]);
    const found = shown === null ? "a string that is no http or https URL" : `"${shown}"`;
    expect(problem).toMatch(/; expected an https URL without user, query or fragment/);
    expect(problem?.startsWith(`found ${found} at apiUrl; `), problem).toBe(true);
  },
);

test.for([
  ["HTTPS://A.example", "https://a.example"],
  [" https://a.example/v1/ ", "https://a.example/v1"],
  ["https://a.example:443", "https://a.example"],
  ["http://127.0.0.1:8787", "http://127.0.0.1:8787"],
] as const)("the apiUrl %j is %s", ([apiUrl, is]) => {
  expect(readConfig({ ...MINIMAL, apiUrl })).toMatchObject({ ok: true, config: { apiUrl: is } });
});

test("P58: what is written in place of the path of a file is not shown", () => {
  const key = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49";
  const [problem, ...others] = problems({ ...MINIMAL, tls: { cert: "/cert.pem", key } });
  expect(others).toEqual([]);
  expect(problem).toMatch(/^found a string that is no such path at tls\.key; expected the path/);
});

test("a list in place of an object is named as a list, and nothing else", () => {
  expect(problems([])).toEqual([
    "found a list at config; expected an object with the plugin's options",
  ]);
  const filter = { agents: { content: ["main"] } };
  expect(problems({ ...MINIMAL, content: ["text"], filter })).toEqual([
    expect.stringMatching(/^found a list at content; expected "full", .+ "metadata", or an object/),
    expect.stringMatching(/^found a list at filter\.agents\.content; expected an object of agent/),
  ]);
  expect(problems({ ...MINIMAL, upload: [], filter: { agents: ["main"], sessions: [] } })).toEqual([
    "found a list at upload; expected an object with the upload options",
    'found a list at filter.agents; expected an object such as {"allow": [], "deny": []}',
    'found a list at filter.sessions; expected an object such as {"allow": [], "deny": ["tmp-*"]}',
  ]);
});

test.for([
  ["!public-*"],
  ["@(a|b)"],
  ["!(a)"],
  ["a*(b)"],
  ["(a|b)"],
  [" "],
  [""],
  ["[[:digit:]]*"],
  ["*a*b*c*d*"],
  ["{a,b}{a,b}{a,b}{a,b}{a,b}"],
] as const)(
  "P67: the pattern %j is refused, because it would deny what nobody meant, or nothing",
  ([pattern]) => {
    for (const filter of [
      { agents: { allow: [pattern] } },
      { agents: { deny: ["main", pattern] } },
      { sessions: { deny: [pattern] } },
      { sessions: { allow: [pattern] } },
    ]) {
      expect(problems({ ...MINIMAL, filter })).toEqual([
        expect.stringMatching(
          /at filter\.\w+\.\w+\.\d; expected a list of .+ with at most four \* /,
        ),
      ]);
    }
  },
);

test.for(["[draft] plan", "chat (private)", "a|b", "#x", "a!b"])(
  "P67: the pattern %j is taken as it is written",
  (pattern) => {
    expect(problems({ ...MINIMAL, filter: { sessions: { deny: [` ${pattern} `] } } })).toEqual([]);
  },
);

test.for([
  "2026-02-30",
  "2026-13-01",
  "2026-11-27T25:00Z",
  "2026-11-27T09:00",
  "2026-11-27 09:00Z",
  "27.11.2026",
  "Install",
  "",
])("P77: since %j is refused with what to write instead", (since) => {
  expect(problems({ ...MINIMAL, filter: { since } })).toEqual([
    `found ${JSON.stringify(since)} at filter.since; expected a date such as "2026-11-27" or "2026-11-27T09:00:00Z", or "install" for what begins after the plugin first ran`,
  ]);
});

test("P76: a kind that does not exist is refused with those that do", () => {
  expect(problems({ ...MINIMAL, filter: { kinds: ["crons"] } })).toEqual([
    'found "crons" at filter.kinds.0; expected a list of kinds of session to leave out, e.g. ["cron"]: "cron", "subagent", "heartbeat", "group", "direct"',
  ]);
});

test.for([
  ["text", { level: "text", images: true }],
  [{}, { level: "full", images: true }],
  [{ images: false }, { level: "full", images: false }],
  [
    { level: "no-tool-output", images: false },
    { level: "no-tool-output", images: false },
  ],
] as const)("the content %j is %j", ([content, is]) => {
  expect(readConfig({ ...MINIMAL, content })).toMatchObject({ ok: true, config: { content: is } });
});

test("levels of agents are kept in any number and under any name", () => {
  const content = JSON.parse('{"__proto__": "text", "constructor": "metadata", " Ops ": "text"}');
  const result = readConfig({ ...MINIMAL, filter: { agents: { content } } });
  const kept = result.ok ? result.config.filter.agents.content : {};
  expect(Object.entries(kept)).toEqual(Object.entries(content));
  // On its way into the thread of a run.
  expect(Object.entries(structuredClone(kept))).toEqual(Object.entries(content));
});

test("what was read of a config can be read again", () => {
  const given = {
    ...MINIMAL,
    content: "text",
    filter: { agents: { content: { ops: "metadata" } } },
  };
  const { everyMs, ...config } = configOf(given);
  expect(configOf(config)).toEqual({ ...config, everyMs });
});

test("an agent that is to send more than content says is named, with what it can send", () => {
  const filter = { agents: { content: { main: "full", ops: "text", dev: "metadata" } } };
  expect(problems({ ...MINIMAL, content: "text", filter })).toEqual([
    'found "full" at filter.agents.content.main; expected "text" or "metadata", since content is "text" and an agent can only be sent with less',
  ]);
  expect(problems({ ...MINIMAL, filter })).toEqual([]);
});

test("an interval is off or at least a second", () => {
  for (const every of ["0.001s", "0.5s", 0.01, "0.016"]) {
    const found = problems({ ...MINIMAL, upload: { every } });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain('(at least "1s")');
  }
  for (const every of ["1s", "0", 0, "0s"]) {
    expect(problems({ ...MINIMAL, upload: { every } })).toEqual([]);
  }
});

test("every wrong field is named at once", () => {
  expect(problems({ apiKey: "", upload: { every: "x", timeoutMs: "y" } })).toHaveLength(5);
});

test("a secret reference is a key", () => {
  const apiKey = { source: "env", provider: "default", id: "INFLUXION_API_KEY" };
  expect(readConfig({ ...MINIMAL, apiKey })).toMatchObject({ ok: true, config: { apiKey } });
});

test("a trailing slash of apiUrl does not matter", () => {
  const result = readConfig({ ...MINIMAL, apiUrl: "https://a.example/base//" });
  expect(result).toMatchObject({ ok: true, config: { apiUrl: "https://a.example/base" } });
});

test.for([
  ["30s", 30_000],
  ["5m", 300_000],
  ["1h", 3_600_000],
  ["1d", 86_400_000],
  ["15", 900_000],
  [15, 900_000],
  ["0", 0],
  ["0s", 0],
  ["1.5h", 5_400_000],
  [" 5 m ", 300_000],
  ["", null],
  ["-1m", null],
  ["m", null],
  ["5 weeks", null],
  ["1e3", null],
] as const)("the interval %j is %j ms", ([text, ms]) => {
  expect(parseInterval(text)).toBe(ms);
});

const manifest = JSON.parse(
  readFileSync(new URL("../../openclaw.plugin.json", import.meta.url), "utf8"),
);
const packageJson = JSON.parse(
  readFileSync(new URL("../../package.json", import.meta.url), "utf8"),
);

const members = (schema: Schema): Record<string, Schema> =>
  schema.properties ?? schema.anyOf?.[0]?.properties ?? {};

/** All options and groups with their schemas. */
const options = (schema: Schema, path = ""): [path: string, schema: Schema][] =>
  Object.entries(members(schema)).flatMap(([name, option]) => {
    const own = path === "" ? name : `${path}.${name}`;
    return [[own, option] as [string, Schema], ...options(option, own)];
  });

const leaves = options(manifest.configSchema).filter(
  ([, schema]) => Object.keys(members(schema)).length === 0,
);

test("the manifest's config schema is made from the one the plugin checks with", () => {
  expect(manifest.configSchema).toEqual(manifestSchema());
});

test("every option has a label and a help text, and no group has", () => {
  expect(Object.keys(manifest.uiHints).sort()).toEqual(leaves.map(([path]) => path).sort());
  for (const hint of Object.values<{ label: string; help: string }>(manifest.uiHints)) {
    expect(hint.label).toMatch(/\S/);
    expect(hint.help).toMatch(/\.$/);
  }
  expect(manifest.uiHints.apiKey.sensitive).toBe(true);
});

test("no switch that is on is asked for by the host's wizard, which would offer to switch it off", () => {
  const on = leaves.filter(([, schema]) => schema.default === true).map(([path]) => path);
  expect(on.length).toBeGreaterThan(0);
  for (const path of on) expect(manifest.uiHints[path].advanced, path).toBe(true);
});

test("each option and group is in one section of the settings", () => {
  const sections = manifest.configGroups.flatMap(
    (group: { properties: string[] }) => group.properties,
  );
  expect(sections.sort()).toEqual(Object.keys(members(manifest.configSchema)).sort());
});

test("the README's table has every option with its default", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  for (const [option, schema] of leaves) {
    const row = readme.split("\n").find((line) => line.startsWith(`| \`${option}\` |`));
    expect(row, option).toBeDefined();
    if (schema.default !== undefined)
      expect(row, option).toContain(`\`${JSON.stringify(schema.default)}\``);
  }
});

test("package and manifest agree on what the host reads", () => {
  expect(manifest.id).toBe(packageJson.name);
  expect(manifest.activation).toEqual({ onStartup: true });
  expect(manifest.cliCommands[0].name).toBe("influxion");
  expect(packageJson.openclaw.runtimeExtensions).toEqual(["./dist/index.js"]);
});
