import { expect, test } from "vitest";
import { readConfig } from "../src/config.ts";
import { createFilter } from "../src/filter.ts";

function filterOf(filter: object) {
  const result = readConfig({ apiKey: "k", deploymentId: "d", projectId: "p", filter });
  if (!result.ok) throw new Error(JSON.stringify(result.problems));
  return createFilter(result.config.filter);
}

test("without filters every agent and session may go", () => {
  expect(filterOf({}).byName("main", "abc")).toBeNull();
});

test("deny wins over allow", () => {
  const filter = filterOf({ agents: { allow: ["main", "ops"], deny: ["ops"] } });
  expect(filter.byName("main", "abc")).toBeNull();
  expect(filter.byName("ops", "abc")).toBe("filter.agents.deny");
  expect(filter.byName("other", "abc")).toBe("filter.agents.allow");
});

test("an agent's id is compared whole", () => {
  const filter = filterOf({ agents: { deny: ["main"] } });
  expect(filter.byName("main-2", "abc")).toBeNull();
  expect(filterOf({ agents: { allow: ["main"] } }).byName("mai", "abc")).toBe(
    "filter.agents.allow",
  );
});

test.for([
  ["tmp-*", "tmp-1", true],
  ["tmp-*", "not-tmp-1", false],
  ["*", ".begins-with-a-dot", true],
  ["s?", "s1", true],
  ["s?", "s12", false],
  ["{a,b}-*", "b-1", true],
  ["[0-9]*", "7up", true],
  ["*-topic-*", "abc-topic-9", true],
  ["a.b+c", "a.b+c", true],
  ["a.b", "axb", false],
] as const)("the glob %j on the session %j denies: %j", ([glob, sessionId, denied]) => {
  const filter = filterOf({ sessions: { deny: [glob] } });
  expect(filter.byName("main", sessionId)).toBe(denied ? "filter.sessions.deny" : null);
});

test("minBytes is the least size that may go", () => {
  const filter = filterOf({ minBytes: 100 });
  expect(filter.bySize(99)).toBe("filter.minBytes");
  expect(filter.bySize(100)).toBeNull();
});
