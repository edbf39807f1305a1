import { expect, test } from "vitest";
import { runReceiver } from "../../src/receiver/run.ts";
import { receiverIn, send, tempDir } from "./support.ts";
import { body } from "./wire.ts";

function start(dir: string) {
  const stop = new AbortController();
  let text = "";
  const ended = runReceiver({
    dir,
    port: 0,
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
  const [part, refusal, empty, summary] = text().trimEnd().split("\n").slice(-4);
  expect(part).toMatch(/^\S+ agent main session s1: 12 lines \(0-11\), /);
  expect(refusal).toMatch(/^\S+ refused with 401 UNAUTHORIZED: /);
  for (const line of [part, refusal]) {
    expect(line).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ /);
    expect(Math.abs(Date.parse(line?.split(" ")[0] ?? "") - Date.now())).toBeLessThan(60_000);
  }
  expect(empty).toBe("");
  expect(summary).toBe(
    "Stopped. The folder holds 12 lines of 1 session, received in 1 part; 1 request refused.",
  );
});

test("a run that is aborted before it began ends at once and lets go of the folder", async () => {
  const dir = await tempDir();
  const write = () => undefined;
  await runReceiver({ dir, port: 0, signal: AbortSignal.abort(), write });
  await receiverIn(dir);
});
