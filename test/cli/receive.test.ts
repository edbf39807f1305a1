import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { PassThrough, Writable } from "node:stream";
import { expect, test } from "vitest";
import { receive } from "../../src/cli/receive.ts";
import { startReceiver } from "../../src/receiver/server.ts";
import { receiverIn, tempDir } from "../receiver/support.ts";
import { API_KEY, Lab, type Spoken, spoken } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

/** Starts the command, which ends at once when it can start. */
function run(
  flags: { port?: string; dir: string; key?: string },
  env: Record<string, string> = {},
): Promise<Spoken> {
  const signal = AbortSignal.abort();
  return spoken((terminal) => receive({ port: "0", ...flags, env, signal, terminal }));
}

test("a --dir that is a file is named, with what to do", async () => {
  const file = join(await tempDir(), "file");
  writeFileSync(file, "");
  for (const dir of [file, join(file, "below")]) {
    const { code, err } = await run({ dir });
    expect(code).toBe(1);
    expect(err).toBe(
      `${dir} cannot be the receiver's folder, because a file is in its place; choose another one with --dir\n`,
    );
  }
});

// Elsewhere there is no such file system.
test.runIf(process.platform === "linux")(
  "a --dir in which nothing can be made is named",
  async () => {
    const dir = "/proc/influxion";
    expect(await run({ dir })).toEqual({
      code: 1,
      out: "",
      err: `${dir} cannot be the receiver's folder, because it cannot be made or written to (ENOENT); choose another one with --dir\n`,
    });
  },
);

test("an index that somebody else keeps locked is not called damaged", async () => {
  const dir = await tempDir();
  const index = join(dir, "index.sqlite");
  const db = new DatabaseSync(index);
  db.exec("BEGIN EXCLUSIVE");
  const { code, err } = await run({ dir });
  db.close();
  expect({ code, err }).toEqual({
    code: 1,
    err: `${index} cannot be used (database is locked); see to the disk and to permissions, or choose another folder with --dir\n`,
  });
});

test("a damaged index is named, with what to do, and stays as it is", async () => {
  const dir = await tempDir();
  const index = join(dir, "index.sqlite");
  const garbage = "garbage ".repeat(1000);
  writeFileSync(index, garbage);
  const { code, err } = await run({ dir });
  expect({ code, err }).toEqual({
    code: 1,
    err: `${index} is damaged (file is not a database); put it back, or choose another folder with --dir\n`,
  });
  expect(readFileSync(index, "utf8")).toBe(garbage);
});

test("an index whose tables are not a receiver's is named, too", async () => {
  const dir = await tempDir();
  const index = join(dir, "index.sqlite");
  const db = new DatabaseSync(index);
  db.exec("CREATE TABLE sessions (colour TEXT)");
  db.close();
  const { code, err } = await run({ dir });
  expect(code).toBe(1);
  expect(err).toMatch(/index\.sqlite is damaged \(.+\); put it back, or choose/);
});

test("a damaged lock is not taken for another receiver", async () => {
  const dir = await tempDir();
  writeFileSync(join(dir, "lock.sqlite"), "garbage ".repeat(1000));
  const { code, err } = await run({ dir });
  expect({ code, err }).toEqual({
    code: 1,
    err: `a second receiver cannot be kept out: ${join(dir, "lock.sqlite")} is not empty, and nothing belongs into it; delete it while nothing uses it\n`,
  });
});

test("another receiver in the folder is named as such", async () => {
  const dir = await tempDir();
  await receiverIn(dir);
  expect((await run({ dir })).err).toMatch(/^another receiver stores into /);
});

test("a --port that is no number picks no port", async () => {
  const dir = await tempDir();
  for (const port of ["", " ", "80x", "0x50", "1e3", "-1", "65536"]) {
    const { code, err, out } = await run({ dir, port });
    expect({ code, out, err }, port).toEqual({
      code: 1,
      out: "",
      err: `--port: found "${port}", expected a whole number from 0 to 65535\n`,
    });
  }
});

test("a --key that the plugin would not take is refused, and not repeated", async () => {
  const dir = await tempDir();
  for (const key of ["", "a b", "a\n", "schlüssel"]) {
    const { code, err, out } = await run({ dir, key });
    expect({ code, out, err }, key).toEqual({
      code: 1,
      out: "",
      err: "--key: expected ASCII characters without spaces or line breaks; without it the receiver makes a key and keeps it\n",
    });
  }
});

test("an empty --dir is not the folder one is in", async () => {
  expect(await run({ dir: "" })).toEqual({
    code: 1,
    out: "",
    err: "--dir: expected the path of a folder\n",
  });
});

function apiKeyIn(out: string): string {
  const json = JSON.parse(out.slice(out.indexOf("{"), out.lastIndexOf("}") + 1));
  return json.plugins.entries.influxion.config.apiKey;
}

test("the key is printed and the same at each start, with where it is kept", async () => {
  const dir = await tempDir();
  const first = await run({ dir });
  const second = await run({ dir });
  expect(apiKeyIn(first.out)).toMatch(/^[\w-]{32}$/);
  expect(apiKeyIn(second.out)).toBe(apiKeyIn(first.out));
  expect(first.out).toContain(`Keeping the API key in ${join(dir, "key")}\n`);
});

test("a key from --key or the environment is not printed, only where it comes from", async () => {
  const dir = await tempDir();
  const env = { INFLUXION_RECEIVER_KEY: "from-environment" };
  const outs = [await run({ dir, key: "from-flag" }, env), await run({ dir }, env)].map(
    ({ out }) => out,
  );
  expect(outs.map(apiKeyIn)).toEqual([
    "<the key from --key>",
    "<the key from INFLUXION_RECEIVER_KEY>",
  ]);
  expect(outs.join()).not.toMatch(/from-environment|from-flag|Keeping/);
  expect(existsSync(join(dir, "key"))).toBe(false);
});

test("an empty INFLUXION_RECEIVER_KEY is none", async () => {
  const { out } = await run({ dir: await tempDir() }, { INFLUXION_RECEIVER_KEY: "" });
  expect(apiKeyIn(out)).toMatch(/^[\w-]{32}$/);
});

test("an INFLUXION_RECEIVER_KEY that cannot be sent is named, and not repeated", async () => {
  const env = { INFLUXION_RECEIVER_KEY: "schlüssel\n" };
  expect(await run({ dir: await tempDir() }, env)).toEqual({
    code: 1,
    out: "",
    err: "INFLUXION_RECEIVER_KEY: expected ASCII characters without spaces or line breaks; without it the receiver makes a key and keeps it\n",
  });
});

test("it ends in an orderly way when nobody reads its output any more", async () => {
  const dir = await tempDir();
  const out = new Writable({ write: (_chunk, _encoding, done) => done(new Error("EPIPE")) });
  const terminal = { out, err: new PassThrough() };
  const { signal } = new AbortController();
  expect(await receive({ port: "0", dir, env: {}, signal, terminal })).toBe(0);
  await receiverIn(dir);
});

test("uploads go on after the receiver was restarted", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const dir = await tempDir();
  const first = await startReceiver({ dir, port: 0 });
  const overrides = { apiUrl: first.url, apiKey: first.key };
  expect((await lab.sync({ overrides })).code).toBe(0);
  await first.close();
  const second = await startReceiver({ dir, port: Number(new URL(first.url).port) });
  lab.append(path, [message(9)]);
  expect((await lab.sync({ overrides })).code).toBe(0);
  const [held] = second.sessions();
  await second.close();
  expect(readFileSync(held?.file ?? "", "utf8")).toBe(readFileSync(path, "utf8"));
});

test("the printed config switches the plugin on", async () => {
  const { out } = await run({ dir: await tempDir() });
  const json = JSON.parse(out.slice(out.indexOf("{"), out.lastIndexOf("}") + 1));
  expect(json.plugins.entries.influxion).toMatchObject({
    enabled: true,
    config: { deploymentId: "local" },
  });
});

test("P70: a receiver that has lost what it was sent gets it again, once in a while", async () => {
  await using lab = await Lab.start();
  const path = lab.session("main", "abc");
  const first = await receiverIn(await tempDir(), { key: API_KEY });
  const overrides = { apiUrl: first.url };
  const port = Number(new URL(first.url).port);
  await lab.sync({ overrides });
  await first.close();
  const second = await receiverIn(await tempDir(), { key: API_KEY, port });
  lab.append(path, [message(9)]);
  const { code, out } = await lab.sync({ overrides });
  expect(code).toBe(0);
  expect(out).toContain(
    "Note: main/abc: the API has other lines of this session than were recorded here (answered 409), as after a restored backup or on a copied machine; all of it is sent again\n",
  );
  expect(second.stats()).toMatchObject({ accepted: 6 });
  await second.close();
  await receiverIn(await tempDir(), { key: API_KEY, port });
  lab.append(path, [message(10)]);
  const again = await lab.sync({ overrides });
  expect(again.code).toBe(2);
  expect(again.out).toContain(
    "Failed: main/abc: answered 409: the API has other lines of this session than were sent from here, also after all of it was sent again; if another machine uses the same deploymentId, give each its own\n",
  );
});
