import { expect, test } from "vitest";
import { readConfig } from "../../src/config/config.ts";
import {
  createFilter,
  type Filter,
  type FilterName,
  isNamed,
  type NameVerdict,
  type SessionNames,
} from "../../src/config/filter.ts";

const FIRST_RUN_AT = Date.parse("2026-11-20T12:00:00Z");

function filterOf(filter: object): Filter {
  const result = readConfig({ apiKey: "k", deploymentId: "d", projectId: "p", filter });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return createFilter(result.config.filter, FIRST_RUN_AT);
}

/** The filter that excludes a session, `undecidable`, or null. */
function verdict(
  filter: Filter,
  agentNames: string | readonly string[],
  sessionId: string,
  names: readonly string[] = [],
  known: Partial<SessionNames> = {},
): FilterName | "undecidable" | null {
  const session = { sessionId, names, ownNames: names, kinds: [], openKinds: [], ...known };
  return short(filter.byName([agentNames].flat(), session));
}

function short(verdict: NameVerdict): FilterName | "undecidable" | null {
  if (verdict.kind === "excluded") return verdict.filter;
  return verdict.kind === "undecidable" ? "undecidable" : null;
}

test("without filters every agent and session may go", () => {
  expect(verdict(filterOf({}), "main", "abc")).toBeNull();
});

test("deny wins over allow", () => {
  const filter = filterOf({ agents: { allow: ["main", "ops"], deny: ["ops"] } });
  expect(verdict(filter, "main", "abc")).toBeNull();
  expect(verdict(filter, "ops", "abc")).toBe("filter.agents.deny");
  expect(verdict(filter, "other", "abc")).toBe("filter.agents.allow");
});

test("an agent's name is compared whole", () => {
  const filter = filterOf({ agents: { deny: ["main"] } });
  expect(verdict(filter, "main-2", "abc")).toBeNull();
  expect(verdict(filterOf({ agents: { allow: ["main"] } }), "mai", "abc")).toBe(
    "filter.agents.allow",
  );
});

test.for([
  ["My Agent", "my-agent"],
  ["my-agent", "My Agent"],
  ["MY-AGENT", "my-agent"],
  [" my-agent ", "my-agent"],
  ["Scratch", "scratch"],
  ["scr*", "scratch"],
  ["SCR*", "scratch"],
  ["My A*", "my-agent"],
  ["{My Agent,x}", "my-agent"],
  ["m?-agent", "my-agent"],
  ["café", "CAFÉ"],
  ["cafe\u0301", "caf\u00e9"],
  ["日本", "main"],
  ["My Agent [old]", "my-agent-old"],
  ["My Agent [old]*", "my-agent-old-2"],
  ["My Agent (old)*", "my-agent-old"],
  ["My Agent (old)*", "my-agent-old-2"],
  ["Agent {1}", "agent-1"],
  ["What?", "what"],
  ["[My Agent]", "my-agent"],
  ["C\\D", "c-d"],
  ["(My*", "my-agent"],
  ["* (old)", "my-old"],
  ["* (old)", "old"],
  ["My * (x)", "my-x"],
  ["Hey! You*", "hey-you-2"],
  ["A, B*", "a-b-2"],
  ["{Café,(Tea)}*", "caf"],
  ["{Café,(Tea)}*", "tea-2"],
  ["Café*", "caf"],
  ["[é ]x*", "x-1"],
] as const)("P67: agents.deny %j keeps the agent %j here", ([pattern, name]) => {
  const filter = filterOf({ agents: { deny: [pattern] } });
  expect(verdict(filter, name, "abc")).toBe("filter.agents.deny");
  expect(verdict(filter, "another", "abc")).toBeNull();
});

test("P67: an agent is denied by any of its names, and allowed by any", () => {
  const names = ["main", "alias", "My Main"];
  for (const name of names) {
    expect(verdict(filterOf({ agents: { deny: [name] } }), names, "abc")).toBe(
      "filter.agents.deny",
    );
    expect(verdict(filterOf({ agents: { allow: [name] } }), names, "abc")).toBeNull();
  }
});

test.for([
  ["Team A*", "team-alpha"],
  ["My *", "my-agent"],
  ["TEAM-*", "team-alpha"],
])(
  "P67: agents.allow %j lets the agent %j go, as the host writes such a name",
  ([pattern, name]) => {
    const filter = filterOf({ agents: { allow: [pattern as string] } });
    expect(verdict(filter, name as string, "abc")).toBeNull();
  },
);

test.for([
  ["My Agent [old]", "my-agent-old"],
  ["What?", "what"],
  ["(My*", "my-agent"],
  ["Café*", "caf"],
])("P67: agents.allow %j lets no agent %j go that it may not mean", ([pattern, name]) => {
  const filter = filterOf({ agents: { allow: [pattern] } });
  expect(verdict(filter, name as string, "abc")).toBe("filter.agents.allow");
  expect(verdict(filter, [name as string, pattern as string], "abc")).toBeNull();
});

test.for([
  ["test-*", "test"],
  ["My *", "mystery"],
  ["Café*", "caffeine"],
  ["test-?", "test"],
  ["My Agent [0-9]*", "my-agent"],
])("P67: agents.deny %j leaves the agent %j alone", ([pattern, name]) => {
  const filter = filterOf({ agents: { deny: [pattern] } });
  expect(verdict(filter, name as string, "abc")).toBeNull();
});

test("P67: a glob of characters that no id can have does not become one that matches everything", () => {
  expect(verdict(filterOf({ agents: { allow: ["日*"] } }), "main", "abc")).toBe(
    "filter.agents.allow",
  );
  expect(verdict(filterOf({ agents: { deny: ["日*"] } }), "main", "abc")).toBeNull();
});

test.for([
  ["tmp-*", "tmp-1", true],
  ["tmp-*", "not-tmp-1", false],
  ["TMP-*", "tmp-1", true],
  ["tmp-* ", "TMP-1", true],
  ["*", ".begins-with-a-dot", true],
  ["*", "..", true],
  ["s?", "s1", true],
  ["s?", "s12", false],
  ["{a,b}-*", "b-1", true],
  ["[0-9]*", "7up", true],
  ["*-topic-*", "abc-topic-9", true],
  ["a.b+c", "a.b+c", true],
  ["a.b", "axb", false],
  ["a*", "a/b:c", true],
  ["[draft] plan", "[draft] plan", true],
  ["[draft", "[draft", true],
  ["(private)", "(private)", true],
  ["#x", "#x", true],
  ["a\\b", "a\\b", true],
  ["ΠΡΟΣ*", "ΠΡΟΣΩΠΙΚΟ", true],
  ["*ος", "ΛΟΓΟΣ-ΛΟΓΟΣ", true],
  ["J\u030c*", "\u01f0x", true],
  ["istanbul*", "İSTANBUL 2", true],
  ["?stanbul", "İSTANBUL", true],
] as const)("P67: sessions.deny %j on the session %j denies: %j", ([glob, sessionId, denied]) => {
  const filter = filterOf({ sessions: { deny: [glob] } });
  const expected = denied ? "filter.sessions.deny" : null;
  expect(verdict(filter, "main", sessionId)).toBe(expected);
  // The same when it is one of its other names.
  expect(verdict(filter, "main", "0f8c", ["Unrelated", sessionId])).toBe(expected);
});

test("P67: a session is denied by its key as the host writes it", () => {
  const filter = filterOf({ sessions: { deny: ["agent:*:tmp-*"] } });
  expect(verdict(filter, "main", "0f8c", ["agent:main:tmp-x"])).toBe("filter.sessions.deny");
  expect(verdict(filter, "main", "0f8c", ["agent:main:main"])).toBeNull();
});

test("P67: what cannot be decided is denied, where there is something to decide", () => {
  const unknown = { namesUnknown: "sessions.json is damaged" };
  const denying = filterOf({ sessions: { deny: ["tmp-*"] } });
  expect(verdict(denying, "main", "abc", [], unknown)).toBe("undecidable");
  expect(verdict(denying, "main", "tmp-1", [], unknown)).toBe("filter.sessions.deny");
  expect(verdict(filterOf({}), "main", "abc", [], unknown)).toBeNull();
  const session = { sessionId: "abc", names: [], ownNames: [], kinds: [], openKinds: [] };
  expect(denying.byName(["main"], { ...session, ...unknown })).toMatchObject({
    reason: expect.stringMatching(/filter\.sessions\.deny.+sessions\.json/),
  });

  const whose = { agentUnknown: "nobody says whose it is" };
  expect(verdict(filterOf({ agents: { deny: ["x"] } }), "main", "abc", [], whose)).toBe(
    "undecidable",
  );
  expect(verdict(filterOf({ agents: { allow: ["main"] } }), "main", "abc", [], whose)).toBe(
    "undecidable",
  );
  expect(verdict(denying, "main", "abc", [], whose)).toBeNull();
});

test("P67: patterns that matched nothing are known", () => {
  const filter = filterOf({
    agents: { allow: ["main", "mian"], deny: ["scrach", "ops"] },
    sessions: { deny: ["tmp-*", "nothing-*"] },
  });
  expect(filter.unmatched()).toHaveLength(6);
  filter.byAgent(["ops"]);
  verdict(filter, "main", "tmp-1");
  expect(filter.unmatched()).toEqual([
    { option: "filter.agents.allow", pattern: "mian" },
    { option: "filter.agents.deny", pattern: "scrach" },
    { option: "filter.sessions.deny", pattern: "nothing-*" },
  ]);
});

test("P67: an agent is chosen by any of its names, as the host normalises them, and by no glob", () => {
  expect(isNamed(["my-agent", "alias"], "My Agent")).toBe(true);
  expect(isNamed(["my-agent", "alias"], "ALIAS")).toBe(true);
  expect(isNamed(["my-agent"], "my-*")).toBe(false);
  expect(isNamed(["my-agent"], "my")).toBe(false);
});

test.for([
  ["work-*", "work-1", [], null],
  ["WORK-*", "0f8c", ["agent:main:work-1", "work-1"], null],
  ["agent:My Agent:*", "0f8c", ["agent:my-agent:x"], null],
  ["work-*", "0f8c", ["homework-1"], "filter.sessions.allow"],
  ["agent:ops:*", "0f8c", ["agent:main:x", "x"], "filter.sessions.allow"],
  ["agent:What?:*", "0f8c", ["agent:what:x"], "filter.sessions.allow"],
] as const)(
  "P75: sessions.allow %j on the session %j with the names %j: %j",
  ([pattern, sessionId, names, expected]) => {
    const filter = filterOf({ sessions: { allow: [pattern] } });
    expect(verdict(filter, "main", sessionId, names)).toBe(expected);
  },
);

test("P75: deny wins over allow, and a pattern that only a denied session matches is no typing error", () => {
  const filter = filterOf({ sessions: { allow: ["tmp-1", "nothing"], deny: ["tmp-*"] } });
  expect(verdict(filter, "main", "tmp-1")).toBe("filter.sessions.deny");
  expect(filter.unmatched()).toEqual([{ option: "filter.sessions.allow", pattern: "nothing" }]);
});

test("P75: what a session is called by others than its user allows nothing, and denies", () => {
  const called = { names: ["agent:main:x", "A title"], ownNames: ["agent:main:x"] };
  for (const [filter, expected] of [
    [{ allow: ["A title"] }, "filter.sessions.allow"],
    [{ deny: ["A title"] }, "filter.sessions.deny"],
  ] as const) {
    expect(verdict(filterOf({ sessions: filter }), "main", "abc", [], called)).toBe(expected);
  }
});

test("P75: a session whose names are not all known goes if one that is known is allowed, and else cannot be decided", () => {
  const filter = filterOf({ sessions: { allow: ["work-*"] } });
  const unknown = { namesUnknown: "sessions.json is damaged" };
  expect(verdict(filter, "main", "work-1", [], unknown)).toBeNull();
  expect(verdict(filter, "main", "abc", [], unknown)).toBe("undecidable");
});

test("P76: one kind that is left out is enough, and one that may be left out cannot be decided", () => {
  const filter = filterOf({ kinds: ["cron", "group"] });
  expect(verdict(filter, "main", "abc", [], { kinds: ["subagent", "group"] })).toBe("filter.kinds");
  expect(verdict(filter, "main", "abc", [], { kinds: ["subagent", "direct"] })).toBeNull();
  expect(verdict(filter, "main", "abc", [], { openKinds: ["direct"] })).toBeNull();
  const open = { kinds: [], openKinds: ["subagent", "group"] } as const;
  const session = { sessionId: "abc", names: [], ownNames: [], ...open };
  expect(filter.byName(["main"], session)).toEqual({
    kind: "undecidable",
    reason:
      "not sent, because filter.kinds cannot be decided for it: nothing that OpenClaw keeps says whether it is of the kind group",
  });
  const unknown = { namesUnknown: "sessions.json is damaged" };
  expect(verdict(filter, "main", "abc", [], unknown)).toBe("undecidable");
  expect(verdict(filter, "main", "abc", [], { ...unknown, kinds: ["cron"] })).toBe("filter.kinds");
});

test.for([
  ["2026-11-20", "2026-11-20T00:00:00Z"],
  [" 2026-11-20 ", "2026-11-20T00:00:00Z"],
  ["2026-11-20T01:30+02:00", "2026-11-19T23:30:00Z"],
  ["2026-11-20T01:30:15.5Z", "2026-11-20T01:30:15.500Z"],
  ["install", "2026-11-20T12:00:00Z"],
])("P77: since %j leaves out what began before %s", ([since, instant]) => {
  const filter = filterOf({ since });
  const at = Date.parse(instant as string);
  expect(short(filter.byStart(at - 1, at + 1))).toBe("filter.since");
  expect(short(filter.byStart(at, at + 1))).toBeNull();
});

test("P77: what last changed before began before, and what changed later may have", () => {
  const filter = filterOf({ since: "install" });
  expect(short(filter.byStart(null, FIRST_RUN_AT - 1))).toBe("filter.since");
  expect(short(filter.byStart(null, FIRST_RUN_AT))).toBe("undecidable");
  expect(short(filterOf({}).byStart(null, 0))).toBeNull();
});

test("of the levels that match an agent the one that sends least counts", () => {
  const filter = filterOf({
    agents: { content: { "team-*": "text", "team-a": "metadata", "*": "no-tool-output" } },
  });
  const level = (...names: string[]) =>
    filter.levelOf(names, { sessionId: "abc", names: [], ownNames: [], kinds: [], openKinds: [] });
  expect(level("main")).toBe("no-tool-output");
  expect(level("team-b")).toBe("text");
  expect(level("team-a")).toBe("metadata");
  expect(level("main", "TEAM-A")).toBe("metadata");
  expect(
    filterOf({}).levelOf(["main"], {
      sessionId: "abc",
      names: [],
      ownNames: [],
      kinds: [],
      openKinds: [],
    }),
  ).toBe("full");
});

test.for([
  ["My Agent", "my-agent"],
  ["My Agent (old)*", "my-agent-old-2"],
  ["Café*", "caf"],
  ["constructor", "constructor"],
])(
  "the level of %j is that of the agent %j, which filter.agents.deny would keep here",
  ([pattern, name]) => {
    const filter = filterOf({ agents: { content: { [pattern as string]: "text" } } });
    const session = { sessionId: "abc", names: [], ownNames: [], kinds: [], openKinds: [] };
    expect(filter.levelOf([name as string], session)).toBe("text");
    expect(filter.levelOf(["another"], session)).toBe("full");
  },
);

test("a session has also the level of the agent that its key names, by all of its names", () => {
  const filter = filterOf({ agents: { content: { Operations: "metadata" } } });
  filter.byAgent(["ops", "Operations"]);
  const session = {
    sessionId: "abc",
    names: ["agent:ops:main", "a label"],
    ownNames: [],
    kinds: [],
    openKinds: [],
  };
  expect(filter.levelOf(["main"], session)).toBe("metadata");
  expect(
    filter.levelOf(["main"], {
      sessionId: "abc",
      names: ["agent:dev:main"],
      ownNames: [],
      kinds: [],
      openKinds: [],
    }),
  ).toBe("full");
});

test("a session of which nobody says whose it is has the least of all levels", () => {
  const session = {
    sessionId: "abc",
    names: [],
    ownNames: [],
    kinds: [],
    openKinds: [],
    agentUnknown: "nobody says whose it is",
  };
  const filter = filterOf({ agents: { content: { ops: "metadata", dev: "text" } } });
  expect(filter.levelOf(["main"], session)).toBe("metadata");
  expect(filterOf({}).levelOf(["main"], session)).toBe("full");
});

test("levels ask for names, and those that matched no agent are known", () => {
  const filter = filterOf({ agents: { content: { ops: "text", osp: "metadata" } } });
  expect(filter.needsNames).toBe(true);
  filter.byAgent(["ops"]);
  expect(filter.unmatched()).toEqual([{ option: "filter.agents.content", pattern: "osp" }]);
});

test("minBytes is the least size that may go", () => {
  const filter = filterOf({ minBytes: 100 });
  expect(filter.bySize(99)).toBe("filter.minBytes");
  expect(filter.bySize(100)).toBeNull();
});
