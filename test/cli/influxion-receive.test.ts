import { spawn } from "node:child_process";
import { once } from "node:events";
import { cp, mkdir, readFile, stat, symlink } from "node:fs/promises";
import { request } from "node:http";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { expect, onTestFinished, test } from "vitest";
import { runCommand } from "../../src/cli/receiver/program.ts";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { onPostgres, postgres } from "../receiver/backends.ts";
import { send, tempDir } from "../receiver/support.ts";
import { body, entries, headersFor, line } from "../receiver/wire.ts";
import { type Spoken, spoken } from "../support/lab.ts";
import { query } from "../support/postgres.ts";

async function database(): Promise<string> {
  return (await postgres()).database();
}

/** Runs `influxion-receive` with the words of `text`. */
function run(text: string, store?: string): Promise<Spoken> {
  const env = store === undefined ? {} : { INFLUXION_RECEIVER_STORE: store };
  const args = text.split(" ").filter((word) => word !== "");
  return spoken((terminal) =>
    runCommand(args, { env, terminal, signal: new AbortController().signal }),
  );
}

test("keys are made, listed and revoked", async () => {
  const store = await database();
  const made = await run("keys add --name laptops --project p --project q", store);
  expect(made.code).toBe(0);
  const key = made.out.trim();
  const id = key.split("_")[1];
  const receiver = await onPostgres(store, { key: undefined });
  const headers = { authorization: `Bearer ${key}` };
  expect((await send(receiver.url, "k1", body(0, 1), headers)).status).toBe(200);
  const listed = await run("keys list", store);
  expect(listed.out).toMatch(new RegExp(`^${id}  laptops: p, q, made \\S+\n$`));
  expect(listed.out).not.toContain(key);
  expect(await run(`keys revoke ${id}`, store)).toMatchObject({ code: 0 });
  expect((await run("keys list", store)).out).toMatch(/, revoked \S+\n$/);
  await expect
    .poll(async () => (await send(receiver.url, "k2", body(1, 2), headers)).status, {
      timeout: 5000,
    })
    .toBe(401);
});

const misuse: [call: string, sentence: string][] = [
  ["keys", "keys: expected add, list or revoke\n"],
  ["keys add --project p", "keys add: expected --name, which tells the key from others\n"],
  ["keys add --name n", "keys add: expected --project, once or more often, or --all-projects\n"],
  [
    "keys add --name n --project p --all-projects",
    "keys add: expected --project, once or more often, or --all-projects\n",
  ],
  ["keys revoke", "keys revoke: expected the id that keys list shows\n"],
  ["keys list", "expected --store postgres://user@host/database, or INFLUXION_RECEIVER_STORE\n"],
  ["dance", "no command dance; see --help\n"],
  ["keys list --colour", "Unknown option '--colour'; see --help\n"],
  [
    "delete --project p",
    "expected --project and --deployment, and for less --agent or --session\n",
  ],
  ["prune --keep 3", '--keep: found "3", expected days, e.g. 90d\n'],
  ["export", "export: expected --out with a folder, or - for the output\n"],
  [
    "receive --store mysql://root:secret@host/db",
    "--store: expected an address like postgres://user@host/database\n",
  ],
  ["--store postgres://h/d --dir x", "--store and --dir: expected one of them\n"],
  ["--migrate", "--migrate: expected together with --store\n"],
  ["--tls-cert x", "--tls-cert and --tls-key: expected both of them\n"],
  [
    "--pool 0 --store postgres://h/d",
    '--pool: found "0", expected a whole number from 1 to 1000\n',
  ],
];

test.for(misuse)("%s is refused in one sentence", async ([call, sentence]) => {
  expect(await run(call)).toEqual({ code: 1, out: "", err: sentence });
});

test("export writes the newest generation of each session, byte for byte", async () => {
  const store = await database();
  const receiver = await onPostgres(store);
  const payloads = [
    '{ "tab" :\t"\\t\\\\N\\u0000" }\r',
    '{"é":"😀"}',
    `{"x":"${"y".repeat(300_000)}"}`,
  ];
  const text = payloads.map((payload, lineIndex) => line({ lineIndex, payload })).join("\n");
  await send(receiver.url, "k1", body(0, 3));
  await send(receiver.url, "k2", text);
  await send(receiver.url, "k3", body(0, 2, { agentId: "../Other", sessionId: "s2" }));
  const out = join(await tempDir(), "out");
  expect(await run(`export --out ${out}`, store)).toEqual({
    code: 0,
    out: "",
    err: "Exported 2 sessions\n",
  });
  expect(await readFile(join(out, "p/d/main/s1.jsonl"), "utf8")).toBe(`${payloads.join("\n")}\n`);
  expect(await readFile(join(out, "p/d/%2e%2e%2f%4fther/s2.jsonl"), "utf8")).toBe(entries(0, 2));
  // Windows has no such bits.
  if (process.platform !== "win32") {
    expect((await stat(out)).mode & 0o777).toBe(0o700);
    expect((await stat(join(out, "p/d/main/s1.jsonl"))).mode & 0o777).toBe(0o600);
  }
  const piped = await run("export --out - --session s2", store);
  expect(piped.out).toBe(
    [0, 1]
      .map(
        (n) =>
          `{"projectId":"p","deploymentId":"d","agentId":"../Other","sessionId":"s2","generation":0,"lineIndex":${n},"payload":{"type":"message","n":${n}}}\n`,
      )
      .join(""),
  );
  const later = new Date(Date.now() + 60_000).toISOString();
  expect(await run(`export --out - --since ${later}`, store)).toMatchObject({
    out: "",
    err: "Exported 0 sessions\n",
  });
});

test("what was deleted does not come back, until it is allowed", async () => {
  const store = await database();
  const receiver = await onPostgres(store);
  const other = { agentId: "other" };
  await send(receiver.url, "k1", body(0, 2));
  await send(receiver.url, "k2", body(0, 2, other));
  const scope = "--project p --deployment d --agent main";
  expect(await run(`delete ${scope}`, store)).toMatchObject({
    code: 0,
    out: "Deleted 1 session. What comes again is refused; allow lifts that\n",
  });
  // The part that was stored, one of a new generation, and one of a session that was never here.
  for (const [key, text] of [
    ["k1", body(0, 2)],
    ["k3", body(0, 1)],
    ["k4", body(0, 1, { sessionId: "s9" })],
  ] as const) {
    const answer = await send(receiver.url, key, text);
    expect([answer.status, answer.json.error?.code]).toEqual([422, "FORGOTTEN"]);
  }
  expect((await send(receiver.url, "k5", body(2, 3, other))).status).toBe(200);
  expect(await receiver.held()).toMatchObject([{ agentId: "other", text: entries(0, 3) }]);
  expect((await run(`allow ${scope}`, store)).code).toBe(0);
  expect((await send(receiver.url, "k1", body(0, 2))).status).toBe(200);
});

test("a part that is being stored while its agent is deleted does not survive that", async () => {
  const store = await database();
  const receiver = await onPostgres(store);
  const locks = (granted: boolean) => () =>
    query(store, `SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted = ${granted}`);
  const text = body(0, 3000, { payload: `{"text":"${"x".repeat(3000)}"}` });
  const headers = { ...headersFor("k1"), "content-encoding": "identity" };
  const req = request(receiver.url + INGEST_PATH, { method: "POST", headers });
  const answered = once(req, "response");
  req.write(text.slice(0, 5_000_000));
  await expect.poll(locks(true)).toHaveLength(1);
  const deleted = run("delete --project p --deployment d --agent main", store);
  await expect.poll(locks(false)).toHaveLength(1);
  req.end(text.slice(5_000_000));
  const [response] = await answered;
  expect(response.statusCode).toBe(200);
  expect((await deleted).out).toMatch(/^Deleted 1 session\./);
  expect(await receiver.held()).toEqual([]);
  expect((await send(receiver.url, "k1", text)).status).toBe(422);
});

test("old lines are removed, and the session goes on behind them", async () => {
  const store = await database();
  const receiver = await onPostgres(store);
  const first = await send(receiver.url, "k1", body(0, 2));
  await send(receiver.url, "k2", body(2, 3));
  await query(
    store,
    "UPDATE influxion.part SET received_at = now() - interval '91 days' WHERE key = 'k1'",
  );
  expect(await run("prune --keep 90d", store)).toMatchObject({ out: "Removed 2 lines\n" });
  expect(await run("prune --keep 90d", store)).toMatchObject({ out: "Removed 0 lines\n" });
  expect((await send(receiver.url, "k1", body(0, 2))).json).toEqual(first.json);
  expect((await send(receiver.url, "k3", body(3, 4))).status).toBe(200);
  expect(await receiver.held()).toMatchObject([{ lines: 4, text: entries(2, 4) }]);
});

test("receive --keep removes old lines by itself", async () => {
  const store = await database();
  const first = await onPostgres(store);
  await send(first.url, "k1", body(0, 2));
  await query(store, "UPDATE influxion.part SET received_at = now() - interval '3 days'");
  const lines: string[] = [];
  const receiver = await onPostgres(store, { keepDays: 2, log: (text) => lines.push(text) });
  await expect.poll(() => lines).toEqual(["removed 2 lines older than 2 days"]);
  expect(await receiver.held()).toMatchObject([{ parts: 1, text: "" }]);
});

test("the program receives without OpenClaw, and ends in order with SIGTERM", async () => {
  const store = await (await postgres()).emptyDatabase();
  const program = join(import.meta.dirname, "../../dist/cli/receiver/main.js");
  const args = [program, "receive", "--port", "0", "--migrate"];
  const env = { INFLUXION_RECEIVER_STORE: store, INFLUXION_RECEIVER_KEY: "from-environment" };
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => {
    child.kill("SIGKILL");
  });
  let out = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    out += text;
  });
  await expect.poll(() => out, { timeout: 10_000 }).toContain("Ctrl-C");
  const url = /at (\S+)/.exec(out)?.[1] ?? "";
  const headers = { authorization: "Bearer from-environment" };
  expect((await send(url, "k1", body(0, 3), headers)).status).toBe(200);
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
  expect(out).toMatch(/agent main session s1: 3 lines \(0-2\)/);
  expect(out).toMatch(/stopped\n$/);
  expect(out).not.toContain("from-environment");
});

test("the views show sessions, and the entries of their newest generations", async () => {
  const store = await database();
  const receiver = await onPostgres(store);
  await send(receiver.url, "k1", body(0, 3));
  await send(receiver.url, "k2", body(0, 2));
  expect(await query(store, "SELECT * FROM influxion.sessions")).toMatchObject([
    { project: "p", deployment: "d", agent: "main", session: "s1", lines: "2", parts: "1" },
  ]);
  const rows = await query(
    store,
    "SELECT session, line_index::int AS n, payload FROM influxion.entries ORDER BY line_index",
  );
  expect(rows).toEqual([
    { session: "s1", n: 0, payload: '{"type":"message","n":0}' },
    { session: "s1", n: 1, payload: '{"type":"message","n":1}' },
  ]);
});

test("without the packages for PostgreSQL there is a sentence, and everything else works", async () => {
  const root = join(import.meta.dirname, "../..");
  const dir = await tempDir();
  await cp(join(root, "dist"), join(dir, "dist"), { recursive: true });
  await cp(join(root, "package.json"), join(dir, "package.json"));
  await mkdir(join(dir, "node_modules"));
  const { dependencies } = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  for (const name of Object.keys(dependencies)) {
    await symlink(join(root, "node_modules", name), join(dir, "node_modules", name), "junction");
  }
  const program = join(dir, "dist/cli/receiver/main.js");
  const start = (...args: string[]) => spawn(process.execPath, [program, ...args], { cwd: dir });
  const child = start("--store", "postgres://nobody@127.0.0.1/none");
  const [said, [code]] = await Promise.all([text(child.stderr), once(child, "exit")]);
  expect([code, said]).toEqual([
    1,
    "a store in PostgreSQL needs the packages pg and pg-copy-streams, which are not installed here; run: npm install pg@8 pg-copy-streams@7\n",
  ]);
  const other = start("--dir", join(dir, "received"), "--port", "0");
  onTestFinished(() => {
    other.kill("SIGKILL");
  });
  await once(other.stdout, "data");
  const exited = once(other, "exit");
  other.kill("SIGTERM");
  expect(await exited).toEqual([0, null]);
});
