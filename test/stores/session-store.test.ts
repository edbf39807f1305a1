import { homedir } from "node:os";
import { resolve } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { resolveSessionStore } from "../../src/stores/session-store.ts";

type Resolve = (store: string, options: { agentId: string; env: NodeJS.ProcessEnv }) => string;

/** The host's own, of which the types are not part of ours. */
async function hostFunction(): Promise<Resolve> {
  const specifier = "openclaw/plugin-sdk/session-store-runtime";
  return ((await import(specifier)) as { resolveStorePath: Resolve }).resolveStorePath;
}

test("P71: session.store leads where the host says it does", async () => {
  const host = await hostFunction();
  const piece = fc.constantFrom(
    "~",
    "~/",
    "~\\",
    "~x",
    "{agentId}",
    "/",
    "..",
    "data",
    "sessions.json",
    " ",
    "é",
  );
  const home = fc.constantFrom(
    undefined,
    "",
    " ",
    "undefined",
    "null",
    "/home/u",
    "rel/home",
    "~",
    "~/oc",
    "~x",
  );
  fc.assert(
    fc.property(
      fc.array(piece, { minLength: 1, maxLength: 6 }).map((pieces) => pieces.join("")),
      fc.record({ HOME: home, USERPROFILE: home, OPENCLAW_HOME: home }),
      fc.constantFrom("main", "my-agent"),
      (store, variables, agentId) => {
        const env = Object.fromEntries(
          Object.entries(variables).filter(([, value]) => value !== undefined),
        );
        expect([store, env, resolveSessionStore(store, agentId, env)]).toEqual([
          store,
          env,
          host(store, { agentId, env }),
        ]);
      },
    ),
    { numRuns: 2000 },
  );
}, 60_000);

test("without any variable the home is the user's", () => {
  expect(resolveSessionStore("~/s.json", "main", {})).toBe(resolve(homedir(), "s.json"));
});
