import { expect, test } from "vitest";
import { receiverIn, send, tempDir } from "./support.ts";
import { body, KEY } from "./wire.ts";

test("it says that it lives and is ready", async () => {
  const { url } = await receiverIn(await tempDir());
  for (const [path, text] of [
    ["/healthz", "ok\n"],
    ["/readyz", "ready\n"],
  ]) {
    const answer = await fetch(url + path);
    expect([answer.status, await answer.text()]).toEqual([200, text]);
  }
});

test("these pages are read, and nothing else", async () => {
  const { url } = await receiverIn(await tempDir());
  expect((await fetch(`${url}/healthz`, { method: "HEAD" })).status).toBe(200);
  expect((await fetch(`${url}/healthz`, { method: "POST" })).status).toBe(404);
  for (const path of ["/healthz/x", "/constructor", "/__proto__"]) {
    expect((await fetch(url + path)).status, path).toBe(404);
  }
});

test("metrics count parts, repetitions, lines, bytes and refusals", async () => {
  const { url } = await receiverIn(await tempDir());
  await send(url, "k1", `${body(0, 2)}garbage\n`);
  await send(url, "k1", `${body(0, 2)}garbage\n`);
  await send(url, "k2", body(5, 6));
  await send(url, "k3", body(3, 4), { authorization: "Bearer no" });
  const answer = await fetch(`${url}/metrics`);
  expect(answer.headers.get("content-type")).toMatch(/^text\/plain; version=0\.0\.4/);
  const text = await answer.text();
  const samples = new Map(
    text
      .split("\n")
      .filter((line) => line !== "" && !line.startsWith("#"))
      .map((line) => line.split(" ") as [string, string]),
  );
  const expected = {
    parts_total: "1",
    repeats_total: "1",
    lines_accepted_total: "2",
    lines_rejected_total: "1",
    decoded_bytes_total: String(`${body(0, 2)}garbage\n`.length),
    'refusals_total{code="OUT_OF_ORDER"}': "1",
    'refusals_total{code="UNAUTHORIZED"}': "1",
    parts_in_flight: "0",
    part_seconds_count: "4",
    'part_seconds_bucket{le="+Inf"}': "4",
  };
  for (const [name, value] of Object.entries(expected)) {
    expect(samples.get(`influxion_receiver_${name}`), name).toBe(value);
  }
  expect(text).not.toContain(KEY);
});

test("each metric has its help and type once", async () => {
  const { url } = await receiverIn(await tempDir());
  const text = await (await fetch(`${url}/metrics`)).text();
  const types = [...text.matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)];
  const helps = [...text.matchAll(/^# HELP (\S+) .+$/gm)];
  expect(types.map(([, name]) => name)).toEqual(helps.map(([, name]) => name));
  expect(new Set(types.map(([, name]) => name)).size).toBe(types.length);
});
