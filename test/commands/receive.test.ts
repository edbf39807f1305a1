import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { receive } from "../../src/commands/receive.ts";
import { receiverIn, tempDir } from "../receiver/support.ts";
import { API_KEY, Lab, type Spoken, spoken } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

/** Starts the command, which ends at once when it can start. */
function run(flags: { port?: string; dir: string; key?: string }): Promise<Spoken> {
  const signal = AbortSignal.abort();
  return spoken((terminal) => receive({ port: "0", ...flags, signal, terminal }));
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
      err: "--key: expected ASCII characters without spaces or line breaks, or no --key for a random one\n",
    });
  }
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
