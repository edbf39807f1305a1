import fc from "fast-check";
import { expect, test } from "vitest";
import { readLayout } from "../../src/stores/layout.ts";

test("agents and session.store are read from the config of OpenClaw 2026.7", () => {
  const config = {
    session: { store: "~/x/{agentId}/sessions.json" },
    agents: {
      list: [
        { id: "Main", name: "The Boss" },
        { id: "ops", default: true, identity: { name: "Ops Bot" } },
      ],
    },
  };
  expect(readLayout(config)).toEqual({
    sessionStore: "~/x/{agentId}/sessions.json",
    agents: [
      { agentId: "main", names: ["Main", "The Boss"] },
      { agentId: "ops", names: ["ops", "Ops Bot"] },
    ],
    defaultAgentId: "ops",
  });
});

test("agents are read from the config of OpenClaw 2026.9", () => {
  const config = { agents: { entries: { "My Agent": { name: "Mine" }, ops: null }, list: [] } };
  expect(readLayout(config)).toEqual({
    sessionStore: undefined,
    agents: [
      { agentId: "my-agent", names: ["My Agent", "Mine"] },
      { agentId: "ops", names: ["ops"] },
    ],
    defaultAgentId: "my-agent",
  });
});

test("whatever stands in the host's config, it is read", () => {
  const key = fc.constantFrom(
    "session",
    "store",
    "agents",
    "list",
    "entries",
    "id",
    "name",
    "identity",
  );
  const config = fc.letrec((tie) => ({
    value: fc.oneof(
      fc.constantFrom(null, undefined, "", 7, true, "text", Number.NaN),
      fc.array(tie("value"), { maxLength: 3 }),
      fc.dictionary(key, tie("value"), { maxKeys: 4 }),
    ),
  })).value;
  fc.assert(
    fc.property(config, (value) => {
      const { agents, defaultAgentId, sessionStore } = readLayout(value);
      for (const { agentId, names } of agents) {
        expect([agentId, ...names].every((name) => typeof name === "string")).toBe(true);
      }
      expect(defaultAgentId).toMatch(/^[a-z0-9_-]+$/);
      expect(["string", "undefined"]).toContain(typeof sessionStore);
      // It goes to another thread.
      structuredClone({ agents, sessionStore });
    }),
    { numRuns: 2000 },
  );
});
