import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BACKENDS } from "../receiver/backends.ts";
import { KEY } from "../receiver/wire.ts";
import { Lab } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

const SECRET = "what-was-said-in-confidence";

let lab: Lab;

beforeEach(async () => {
  lab = await Lab.start();
});

afterEach(() => lab[Symbol.asyncDispose]());

describe.for(BACKENDS)("the receiver in $name", { timeout: 60_000 }, ({ start }) => {
  /** A receiver for this test alone, with the sessions `main/abc`, `main/def` and `ops/ghi`. */
  async function received() {
    const receiver = await start();
    const overrides = { apiUrl: receiver.url, apiKey: KEY };
    const path = lab.session("main", "abc");
    lab.append(path, [message(9, SECRET)]);
    lab.session("main", "def");
    lab.session("ops", "ghi");
    await lab.run(overrides);
    const names = async (): Promise<string[]> =>
      (await receiver.held()).map(({ agentId, sessionId }) => `${agentId}/${sessionId}`);
    expect(await names()).toEqual(["main/abc", "main/def", "ops/ghi"]);
    expect(await receiver.contains(SECRET)).toBe(true);
    return { receiver, overrides, names, path };
  }

  test("P93: forget --remote deletes a session, of which nothing can be found any more", async () => {
    const { receiver, overrides, names, path } = await received();
    const { code, out } = await lab.forget({ session: ["abc"], remote: true, overrides });
    expect(code).toBe(0);
    expect(out).toContain("The API deleted what it had of 1 session.");
    expect(await names()).toEqual(["main/def", "ops/ghi"]);
    expect(await receiver.contains(SECRET)).toBe(false);
    lab.append(path, [message(10, SECRET)]);
    await lab.sync({ all: true, overrides });
    expect(await receiver.contains(SECRET)).toBe(false);
    const status = JSON.parse((await lab.status({ json: true, overrides })).out);
    expect(status.deletions ?? []).toEqual([]);
  });

  test("P93: forget --agent --remote and forget --all --remote delete all that is there", async () => {
    const { overrides, names } = await received();
    const agent = await lab.forget({ agent: "main", remote: true, overrides });
    expect(agent.out).toContain("The API deleted what it had of 2 sessions.");
    expect(await names()).toEqual(["ops/ghi"]);
    lab.session("main", "new");
    await lab.run(overrides);
    expect(await names()).toEqual(["main/new", "ops/ghi"]);
    const all = await lab.forget({ all: true, remote: true, overrides });
    expect(all.out).toContain("The API deleted what it had of 2 sessions.");
    expect(await names()).toEqual([]);
  });

  test("P93: with --undo a session that was deleted is taken again, whole", async () => {
    const { receiver, overrides, names } = await received();
    await lab.forget({ session: ["abc"], remote: true, overrides });
    await lab.forget({ session: ["abc"], undo: true, overrides });
    expect((await lab.run(overrides)).sent.parts).toBe(1);
    expect(await names()).toEqual(["main/abc", "main/def", "ops/ghi"]);
    expect(await receiver.contains(SECRET)).toBe(true);
  });

  test("P93: a copy of the machine that does not know of a deletion cannot send the session again", async () => {
    const { receiver, overrides } = await received();
    await using copy = await Lab.start();
    // Its clock is behind, as that of a machine which was restored from a snapshot.
    copy.clockOffset = -60_000;
    copy.append(copy.session("main", "abc"), [message(9, SECRET)]);
    await lab.forget({ session: ["abc"], remote: true, overrides });
    const report = await copy.run(overrides);
    expect(report.sent.parts).toBe(0);
    expect(JSON.stringify(report)).toContain("answered 422");
    expect(await receiver.contains(SECRET)).toBe(false);
  });
});
