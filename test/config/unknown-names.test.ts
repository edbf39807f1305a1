import { expect, test } from "vitest";
import { formatConfigProblem, readConfig } from "../../src/config/config.ts";

const MINIMAL = { apiKey: "sk-1", deploymentId: "laptop", projectId: "p" };

const read = (more: object) => readConfig({ ...MINIMAL, ...more });

test.for([
  [{ upload: { evry: "1m" } }, "upload.evry", ["upload.every"]],
  [{ upload: { every_: "1m" } }, "upload.every_", ["upload.every"]],
  [{ upload: { concurency: 4 } }, "upload.concurency", ["upload.concurrency"]],
  [{ upload: { retryatempts: 1 } }, "upload.retryatempts", ["upload.retryAttempts"]],
  [{ upload: { timeout: 1000 } }, "upload.timeout", ["upload.timeoutMs"]],
  [{ uplaod: { every: "1m" } }, "uplaod", ["upload"]],
  [{ every: "1m" }, "every", ["upload.every"]],
  [{ "upload.every": "1m" }, "upload.every", ["upload.every"]],
  [{ allowInsecureHTTP: true }, "allowInsecureHTTP", ["allowInsecureHttp"]],
  [{ apiurl: "https://a.example" }, "apiurl", ["apiUrl"]],
  [{ project: "p" }, "project", ["projectId"]],
  [{ colour: "blue" }, "colour", []],
  [{ _comment: "mine" }, "_comment", []],
  [{ upload: { colour: "blue" } }, "upload.colour", []],
  [JSON.parse('{"__proto__": 1, "x": 1}'), "__proto__", []],
] as const)("P96: %j is a warning that names what was probably meant", ([more, path, nearest]) => {
  const result = read(more);
  expect(result.ok).toBe(true);
  expect(result.warnings[0]).toMatchObject({ path, nearest });
  const meant = nearest.length === 0 ? "" : `; did you mean ${nearest[0]}?`;
  expect(result.warnings[0]?.message).toBe(`${path} is no option and has no effect${meant}`);
});

test("P96: a config with wrong names is read like one without them", () => {
  const { warnings, ...rest } = read({ evry: 1, upload: { concurrency: 3, x: { y: 1 } } });
  expect(rest).toEqual({ ok: true, config: expect.objectContaining({ deploymentId: "laptop" }) });
  expect(warnings.map(({ path }) => path)).toEqual(["evry", "upload.x"]);
  expect(JSON.stringify(rest)).not.toMatch(/evry|"x"/);
});

test.for([
  [{ filter: { agent: { deny: ["x"] } } }, "filter.agent", "filter.agents"],
  [{ filter: { sesions: { deny: ["x"] } } }, "filter.sesions", "filter.sessions"],
  [{ filter: { agents: { Deny: ["x"] } } }, "filter.agents.Deny", "filter.agents.deny"],
  [{ filter: { deny: ["x"] } }, "filter.deny", "filter.agents.deny or filter.sessions.deny"],
  [{ filter: { colour: 1 } }, "filter.colour", "an option that exists, or nothing"],
  [{ filter: { every: "1m" } }, "filter.every", "upload.every"],
  [{ filters: { agents: { deny: ["x"] } } }, "filters", "filter"],
  [{ Filter: {} }, "Filter", "filter"],
  [{ agents: { deny: ["x"] } }, "agents", "filter.agents"],
  [{ deny: ["x"] }, "deny", "filter.agents.deny or filter.sessions.deny"],
  [{ since: "install" }, "since", "filter.since"],
  [{ upload: { kinds: ["cron"] } }, "upload.kinds", "filter.kinds"],
  [{ content: { image: false } }, "content.image", "content.images"],
  [{ contents: "text" }, "contents", "content"],
  [{ level: "text" }, "level", "content.level"],
  [{ redact: { secret: true } }, "redact.secret", "redact.secrets"],
  [
    { redact: { patterns: [{ id: "a", pattern: "b", flags: "i" }] } },
    "redact.patterns.0.flags",
    "",
  ],
  [{ redaction: { values: ["A"] } }, "redaction", "an option that exists, or nothing"],
  [{ ondelete: "forget" }, "ondelete", "onDelete"],
  [{ excludeAgents: ["x"] }, "excludeAgents", "an option that exists, or nothing"],
  [{ private: true }, "private", "an option that exists, or nothing"],
  [{ enabled: false }, "enabled", "an option that exists, or nothing"],
  [{ uplaod: { deny: ["x"] } }, "uplaod", "upload"],
  [{ other: { inner: { blockedAgents: ["x"] } } }, "other", "an option that exists, or nothing"],
] as const)(
  "P97: with %j nothing is sent, since it may have been meant to keep something here",
  ([more, path, meant]) => {
    const result = read(more);
    const problems = result.ok ? [] : result.problems;
    expect(result).toMatchObject({ ok: false, warnings: [] });
    expect(problems.map((problem) => problem.path)).toEqual([path]);
    const [line = ""] = problems.map(formatConfigProblem);
    expect(line).toMatch(/^found a name that no option has at /);
    expect(line).toContain(`; expected ${meant}`);
    expect(line).toContain("nothing is sent while");
  },
);

test("names within what the user names are not options: agents, secret references", () => {
  const filter = { agents: { content: { every: "text", deny: "text", constructor: "text" } } };
  const apiKey = { source: "env", provider: "default", id: "KEY", allow: 1 };
  const redact = { values: [{ source: "env", provider: "default", id: "A", deny: 1 }] };
  expect(readConfig({ ...MINIMAL, apiKey, filter, redact })).toMatchObject({
    ok: true,
    warnings: [],
  });
});

test("P58: neither a value nor a whole long name is shown of what is unknown", () => {
  const key = "sk-sentinel-9f8e7d6c5b4a39281706";
  const long = `${"x".repeat(200)}${key}`;
  const { warnings } = read({ apikey: key, colour: { key }, [long]: 1 });
  expect(warnings).toHaveLength(3);
  expect(JSON.stringify(warnings)).not.toContain(key);
});
