import { expect, test } from "vitest";
import { runReceiver } from "../../src/receiver/run.ts";
import { receiverIn, send, tempDir } from "./support.ts";
import { body } from "./wire.ts";

function start(dir: string, key?: string) {
  const stop = new AbortController();
  let text = "";
  const ended = runReceiver({
    dir,
    port: 0,
    ...(key === undefined ? {} : { key }),
    signal: stop.signal,
    write: (more) => {
      text += more;
    },
  });
  return { stop, ended, text: () => text };
}

function configIn(text: string) {
  return JSON.parse(text.slice(text.indexOf("{"), text.lastIndexOf("}") + 1)).plugins.entries
    .influxion.config;
}

test("the config it prints works as it stands", async () => {
  const { stop, ended, text } = start(await tempDir());
  await expect.poll(text).toContain("Ctrl-C");
  const config = configIn(text());
  expect(Object.keys(config)).toEqual(["apiUrl", "apiKey", "deploymentId", "projectId"]);
  const answer = await send(config.apiUrl, "k1", body(0, 12), {
    authorization: `Bearer ${config.apiKey}`,
  });
  expect(answer.status).toBe(200);
  await send(config.apiUrl, "k2", body(12, 13));
  stop.abort();
  await ended;
  const [part, refusal, summary] = text().trimEnd().split("\n").slice(-3);
  expect(part).toMatch(/^agent main session s1: 12 lines \(0-11\), /);
  expect(refusal).toMatch(/^refused with 401 UNAUTHORIZED: /);
  expect(summary).toBe(
    "Stopped. The folder holds 12 lines of 1 session, received in 1 part; 1 request refused.",
  );
});

test("a key that is given is used, and two random ones differ", async () => {
  const runs = [start(await tempDir(), "my-key"), start(await tempDir()), start(await tempDir())];
  for (const { text } of runs) await expect.poll(text).toContain("Ctrl-C");
  const keys = runs.map(({ text }) => configIn(text()).apiKey);
  expect(keys[0]).toBe("my-key");
  expect(keys[1]).not.toBe(keys[2]);
  expect(keys[1]).toMatch(/^[\w-]{32}$/);
  for (const { stop } of runs) stop.abort();
  await Promise.all(runs.map(({ ended }) => ended));
});

test("a run that is aborted before it began ends at once and lets go of the folder", async () => {
  const dir = await tempDir();
  const write = () => undefined;
  await runReceiver({ dir, port: 0, signal: AbortSignal.abort(), write });
  await receiverIn(dir);
});
