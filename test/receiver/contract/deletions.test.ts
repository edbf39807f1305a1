import { once } from "node:events";
import { request } from "node:http";
import { describe, expect, test } from "vitest";
import { FIRST_LINE_HEADER, GENERATION_HEADER, INGEST_PATH } from "../../../src/protocol/wire.ts";
import { BACKENDS, type ContractReceiver } from "../backends.ts";
import { type Answered, deleteFrom, send } from "../support.ts";
import { body, entries, headersFor, type LineOptions } from "../wire.ts";

const SECRET = "nobody-shall-find-this";

interface PartOptions extends LineOptions {
  /** Undefined: as a client that sends no number. */
  readonly generation?: number | undefined;
  readonly range?: readonly [from: number, to: number];
}

let keys = 0;

function sendPart(
  { url }: ContractReceiver,
  { generation, range: [from, to] = [0, 2], ...of }: PartOptions = {},
): Promise<Answered> {
  return send(url, `key ${++keys}`, body(from, to, of), {
    [GENERATION_HEADER]: generation?.toString(),
    [FIRST_LINE_HEADER]: generation === undefined ? undefined : String(from),
  });
}

const OWNER = { deploymentId: "d", projectId: "p" };
const AGENT = { ...OWNER, scope: "agent", agentId: "main" };
const SESSION = { ...AGENT, scope: "session", sessionId: "s1" };
const DEPLOYMENT = { ...OWNER, scope: "deployment" };

const remove = (
  { url }: ContractReceiver,
  scope: Readonly<Record<string, string>>,
  through: number,
) => deleteFrom(url, { ...scope, through });

/** `agent/session` of each generation, and its number of lines. */
async function names(receiver: ContractReceiver): Promise<[string, number][]> {
  return (await receiver.held()).map(({ agentId, sessionId, lines }) => [
    `${agentId}/${sessionId}`,
    lines,
  ]);
}

const codeOf = ({ status, json }: Answered) => [status, json.error?.code];

describe.for(BACKENDS)("in $name", { timeout: 30_000 }, ({ start }) => {
  test("P93: of a session that is deleted nothing is left, in none of its generations", async () => {
    const receiver = await start();
    const payload = `{"text":"${SECRET}"}`;
    for (const generation of [3, 7]) {
      await sendPart(receiver, { generation, payload });
      await sendPart(receiver, { generation, payload, range: [2, 4] });
    }
    await sendPart(receiver, { sessionId: "s2" });
    expect(await receiver.contains(SECRET)).toBe(true);
    const answer = await remove(receiver, SESSION, 7);
    expect(answer).toMatchObject({ status: 200, json: { deleted: 1, left: 0 } });
    expect(await receiver.contains(SECRET)).toBe(false);
    expect(await receiver.held()).toMatchObject([{ sessionId: "s2", text: entries(0, 2) }]);
    expect(await receiver.counts()).toEqual({ parts: 1, repeats: 0 });
  });

  test("P93: the ids of what is deleted are in no record of what was received", async () => {
    const receiver = await start();
    await sendPart(receiver, { agentId: "whose-agent", sessionId: "whose-session" });
    await remove(receiver, { ...DEPLOYMENT }, 1);
    expect(await receiver.contains("whose-")).toBe(false);
  });

  test("P93: an agent or a deployment is deleted as a whole", async () => {
    const receiver = await start();
    const all = [
      { agentId: "main", sessionId: "s1" },
      { agentId: "main", sessionId: "s2" },
      { agentId: "main2", sessionId: "s1" },
      { agentId: "ops", sessionId: "s1" },
    ];
    for (const of of all) await sendPart(receiver, of);
    expect((await remove(receiver, AGENT, 9)).json).toEqual({ deleted: 2, left: 0 });
    expect(await names(receiver)).toEqual([
      ["main2/s1", 2],
      ["ops/s1", 2],
    ]);
    expect((await remove(receiver, DEPLOYMENT, 9)).json).toEqual({ deleted: 2, left: 0 });
    expect(await names(receiver)).toEqual([]);
  });

  test("P95: a deletion is about one deployment of one project, whatever else has the same ids", async () => {
    const receiver = await start();
    await sendPart(receiver);
    await sendPart(receiver, { deploymentId: "e", range: [0, 3] });
    await sendPart(receiver, { projectId: "q", range: [0, 4] });
    expect((await remove(receiver, SESSION, 9)).json).toEqual({ deleted: 1, left: 0 });
    expect((await names(receiver)).sort()).toEqual([
      ["main/s1", 3],
      ["main/s1", 4],
    ]);
    const others = { ...DEPLOYMENT, projectId: "q" };
    expect((await remove(receiver, others, 9)).json).toEqual({ deleted: 1, left: 0 });
    expect((await sendPart(receiver, { deploymentId: "e", range: [3, 5] })).status).toBe(200);
    expect(await names(receiver)).toEqual([["main/s1", 5]]);
  });

  test("the same session of two deployments or projects is two sessions, also after a restart", async () => {
    const before = await start();
    for (const of of [{}, { deploymentId: "e" }, { projectId: "q" }]) await sendPart(before, of);
    const receiver = await before.restart();
    for (const of of [{}, { deploymentId: "e" }, { projectId: "q" }]) {
      expect((await sendPart(receiver, { ...of, range: [2, 3] })).status).toBe(200);
    }
    expect(await receiver.held()).toMatchObject(Array(3).fill({ parts: 2, text: entries(0, 3) }));
  });

  test("P93: a late part of what was deleted is refused, and a newer generation is taken", async () => {
    const receiver = await start();
    await sendPart(receiver, { generation: 5 });
    await remove(receiver, SESSION, 7);
    for (const part of [
      { generation: 5 },
      { generation: 5, range: [2, 4] },
      { generation: 0 },
      { generation: 7 },
    ] as const) {
      expect(codeOf(await sendPart(receiver, part)), JSON.stringify(part)).toEqual([
        422,
        "FORGOTTEN",
      ]);
    }
    expect((await sendPart(receiver, { generation: 8 })).status).toBe(200);
    expect((await sendPart(receiver, { generation: 8, range: [2, 3] })).status).toBe(200);
    expect(await names(receiver)).toEqual([["main/s1", 3]]);
  });

  test("P93: a repetition of a part that was deleted stores nothing", async () => {
    const receiver = await start();
    const headers = { [GENERATION_HEADER]: "5", [FIRST_LINE_HEADER]: "0" };
    await send(receiver.url, "the key", body(0, 2), headers);
    await remove(receiver, SESSION, 5);
    await send(receiver.url, "the key", body(0, 2), headers);
    expect(await receiver.held()).toEqual([]);
  });

  test("P93: what was never here is refused as well, of every session that is meant", async () => {
    const receiver = await start();
    expect((await remove(receiver, AGENT, 7)).json).toEqual({ deleted: 0, left: 0 });
    expect(codeOf(await sendPart(receiver, { sessionId: "new", generation: 7 }))).toEqual([
      422,
      "FORGOTTEN",
    ]);
    expect((await sendPart(receiver, { agentId: "ops", generation: 7 })).status).toBe(200);
    await remove(receiver, DEPLOYMENT, 8);
    expect(codeOf(await sendPart(receiver, { agentId: "x", generation: 8 }))[0]).toBe(422);
  });

  test("what has a higher number stays, and is counted", async () => {
    const receiver = await start();
    for (const generation of [3, 4, 9]) await sendPart(receiver, { generation });
    await sendPart(receiver, { sessionId: "s2", generation: 9 });
    expect((await remove(receiver, AGENT, 4)).json).toEqual({ deleted: 1, left: 2 });
    expect((await remove(receiver, AGENT, 4)).json).toEqual({ deleted: 0, left: 2 });
    expect(await names(receiver)).toEqual([
      ["main/s1", 2],
      ["main/s2", 2],
    ]);
    expect((await sendPart(receiver, { generation: 9, range: [2, 3] })).status).toBe(200);
  });

  test("of several deletions the highest counts, whatever their scopes and their order", async () => {
    const receiver = await start();
    await remove(receiver, SESSION, 9);
    await remove(receiver, SESSION, 4);
    await remove(receiver, DEPLOYMENT, 6);
    expect(codeOf(await sendPart(receiver, { generation: 9 }))[0]).toBe(422);
    expect(codeOf(await sendPart(receiver, { sessionId: "s2", generation: 6 }))[0]).toBe(422);
    expect((await sendPart(receiver, { sessionId: "s2", generation: 7 })).status).toBe(200);
  });

  test("P93: a deletion holds after a restart", async () => {
    const before = await start();
    await sendPart(before, { generation: 5 });
    await remove(before, SESSION, 5);
    const receiver = await before.restart();
    expect(await receiver.held()).toEqual([]);
    expect(codeOf(await sendPart(receiver, { generation: 5 }))).toEqual([422, "FORGOTTEN"]);
  });

  test("a client without numbers begins anew behind a deletion, which asked again leaves that alone", async () => {
    const receiver = await start();
    await sendPart(receiver);
    expect((await remove(receiver, SESSION, 1000)).json).toEqual({ deleted: 1, left: 0 });
    expect(codeOf(await sendPart(receiver, { range: [2, 4] }))).toEqual([409, "OUT_OF_ORDER"]);
    expect((await sendPart(receiver, { range: [0, 3] })).status).toBe(200);
    expect((await remove(receiver, SESSION, 1000)).json).toEqual({ deleted: 0, left: 1 });
    expect((await sendPart(receiver, { range: [3, 4] })).status).toBe(200);
    expect(await names(receiver)).toEqual([["main/s1", 4]]);
    expect(codeOf(await sendPart(receiver, { generation: 1000 }))[0]).toBe(422);
    expect((await remove(receiver, SESSION, 1001)).json).toEqual({ deleted: 1, left: 0 });
  });

  test("what came without a number is deleted with everything else, also above what has one", async () => {
    const receiver = await start();
    await sendPart(receiver, { generation: 10 });
    await sendPart(receiver, { range: [0, 3] });
    expect((await remove(receiver, SESSION, 5)).json).toEqual({ deleted: 1, left: 1 });
    expect(await names(receiver)).toEqual([["main/s1", 2]]);
    expect((await sendPart(receiver, { range: [2, 5] })).status).toBe(200);
    expect(await names(receiver)).toEqual([["main/s1", 5]]);
  });

  test("nothing is taken any more where no generation can be newer", async () => {
    const receiver = await start();
    await remove(receiver, SESSION, Number.MAX_SAFE_INTEGER);
    for (const generation of [undefined, 0, Number.MAX_SAFE_INTEGER]) {
      expect(codeOf(await sendPart(receiver, { generation }))).toEqual([422, "FORGOTTEN"]);
    }
  });

  test("P93: a session that is deleted while a part of it arrives is gone", async () => {
    const receiver = await start();
    const text = body(0, 3000, { payload: `{"text":"${"x".repeat(1000)} ${SECRET}"}` });
    const headers = { ...headersFor("k1"), "content-encoding": "identity" };
    const req = request(receiver.url + INGEST_PATH, {
      method: "POST",
      headers: { ...headers, [GENERATION_HEADER]: "5", [FIRST_LINE_HEADER]: "0" },
    });
    const answered = once(req, "response");
    req.write(text.slice(0, 1_000_000));
    const removed = remove(receiver, SESSION, 5);
    await Promise.race([removed, new Promise((done) => setTimeout(done, 300))]);
    req.end(text.slice(1_000_000));
    const [response] = await answered;
    response.resume();
    expect([200, 422]).toContain(response.statusCode);
    expect((await removed).status).toBe(200);
    expect(await receiver.held()).toEqual([]);
    expect(await receiver.contains(SECRET)).toBe(false);
  });

  test("P93: deletions and parts of a session at once leave nothing that was to be deleted", async () => {
    const receiver = await start();
    const works = Array.from({ length: 12 }, (_, n) =>
      n % 3 === 2
        ? remove(receiver, SESSION, 5)
        : sendPart(receiver, { generation: (n % 5) + 1, range: [0, 400] }),
    );
    for (const { status } of await Promise.all(works)) expect([200, 422, 409]).toContain(status);
    await remove(receiver, SESSION, 5);
    expect(await receiver.held()).toEqual([]);
    expect((await sendPart(receiver, { generation: 6 })).status).toBe(200);
  });

  test.for([
    ["nothing", ""],
    ["no scope", "deploymentId=d&projectId=p&agentId=main&sessionId=s1&through=9"],
    ["an unknown scope", "deploymentId=d&projectId=p&scope=all&through=9"],
    ["a name of every object", "deploymentId=d&projectId=p&scope=constructor&through=9"],
    ["no through", "deploymentId=d&projectId=p&scope=deployment"],
    ["no project", "deploymentId=d&scope=deployment&through=9"],
    ["an empty deployment", "deploymentId=&projectId=p&scope=deployment&through=9"],
    ["no agent", "deploymentId=d&projectId=p&scope=agent&through=9"],
    ["no session", "deploymentId=d&projectId=p&scope=session&agentId=main&through=9"],
    [
      "a session that its scope does not have",
      "deploymentId=d&projectId=p&scope=agent&agentId=main&sessionId=s1&through=9",
    ],
    ["an agent too many", "deploymentId=d&projectId=p&scope=deployment&agentId=main&through=9"],
    ["something twice", "deploymentId=d&projectId=p&projectId=p&scope=deployment&through=9"],
    ["two scopes", "deploymentId=d&projectId=p&scope=deployment&scope=deployment&through=9"],
    ["something unknown", "deploymentId=d&projectId=p&scope=deployment&through=9&really=1"],
    ["a through that is none", "deploymentId=d&projectId=p&scope=deployment&through=9e9"],
    ["a through that is negative", "deploymentId=d&projectId=p&scope=deployment&through=-1"],
    [
      "a through that is too large",
      "deploymentId=d&projectId=p&scope=deployment&through=9007199254740992",
    ],
    ["what is no UTF-8", "deploymentId=d&projectId=p&scope=agent&agentId=%ff&through=9"],
  ] as const)("P95: a query with %s deletes nothing", async ([, query]) => {
    const receiver = await start();
    await sendPart(receiver);
    expect(codeOf(await deleteFrom(receiver.url, query))).toEqual([400, "MALFORMED_QUERY"]);
    expect(await names(receiver)).toEqual([["main/s1", 2]]);
    expect((await sendPart(receiver, { generation: 1 })).status).toBe(200);
  });

  test("P95: without the key nothing is deleted, and nothing is said of the query", async () => {
    const receiver = await start();
    await sendPart(receiver);
    for (const authorization of ["", "Bearer no"]) {
      const answer = await deleteFrom(receiver.url, { ...SESSION, through: 9 }, authorization);
      expect(codeOf(answer)).toEqual([401, "UNAUTHORIZED"]);
    }
    expect(codeOf(await deleteFrom(receiver.url, "scope=x", "Bearer no"))[0]).toBe(401);
    expect(await names(receiver)).toEqual([["main/s1", 2]]);
  });

  test("ids that need an encoding are meant as they are", async () => {
    const receiver = await start();
    const ids = { agentId: "a/b+c d%20&=", sessionId: "é\u0000 ?#" };
    await sendPart(receiver, ids);
    await sendPart(receiver, { agentId: "a/b c d &=", sessionId: ids.sessionId });
    const scope = { ...OWNER, scope: "session", ...ids };
    expect((await remove(receiver, scope, 9)).json).toEqual({ deleted: 1, left: 0 });
    expect(await receiver.held()).toMatchObject([{ agentId: "a/b c d &=" }]);
  });

  test("deletions are counted, and logged without a name", async () => {
    const logged: string[] = [];
    const receiver = await start({ log: (line) => logged.push(line) });
    await sendPart(receiver, { sessionId: "s1", generation: 5 });
    await sendPart(receiver, { sessionId: "s1", generation: 9 });
    logged.length = 0;
    await remove(receiver, SESSION, 5);
    await remove(receiver, AGENT, 5);
    const metrics = await (await fetch(`${receiver.url}/metrics`)).text();
    expect(metrics).toContain("\ninfluxion_receiver_deletions_total 2\n");
    expect(metrics).toContain("\ninfluxion_receiver_sessions_deleted_total 1\n");
    expect(metrics).toContain("\ninfluxion_receiver_part_seconds_count 2\n");
    expect(logged).toEqual([
      "deletion of a session: 1 session deleted; something newer stays of 1 session",
      "deletion of the sessions of an agent: 0 sessions deleted; something newer stays of 1 session",
    ]);
  });
});
