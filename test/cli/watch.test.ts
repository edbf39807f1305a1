import { PassThrough } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { watch } from "../../src/cli/watch.ts";
import { Lab } from "../support/lab.ts";

const HIDE = "\u001b[?25l";
const SHOW = "\u001b[?25h";

function screen(rows = 24): { out: PassThrough; text: () => string } {
  const out = Object.assign(new PassThrough(), { isTTY: true, columns: 80, rows });
  let text = "";
  out.on("data", (chunk) => {
    text += String(chunk);
  });
  return { out, text: () => text };
}

test("watching draws in place until it is ended, gives the cursor back and leaves the last frame", async () => {
  const { out, text } = screen();
  const abort = new AbortController();
  let looks = 0;
  const look = async () => ({ text: `look ${++looks}\n`, exitCode: looks });
  const watching = watch(out, abort.signal, look);
  await expect.poll(() => looks, { timeout: 10_000 }).toBe(2);
  abort.abort(new Error("interrupted"));
  expect(await watching).toBe(2);
  const start = `\u001b[?1049h${HIDE}\u001b[Hlook 1\u001b[K\n\u001b[J`;
  expect(text().slice(0, start.length)).toBe(start);
  expect(text().endsWith(`${SHOW}\u001b[?1049llook 2\n`)).toBe(true);
});

test("a look that never ends does not hold up the end of watching", async () => {
  const { out, text } = screen();
  const abort = new AbortController();
  const watching = watch(out, abort.signal, () => new Promise(() => undefined));
  await sleep(20);
  abort.abort(new Error("interrupted"));
  expect(await watching).toBe(0);
  expect(text()).toContain(SHOW);
});

test("the cursor is given back when a look fails", async () => {
  const { out, text } = screen();
  const failing = watch(out, new AbortController().signal, () => Promise.reject(new Error("no")));
  await expect(failing).rejects.toThrow("no");
  expect(text()).toContain(HIDE);
  expect(text()).toContain(SHOW);
});

test("of more lines than the terminal has, the first ones are drawn", async () => {
  const { out, text } = screen(5);
  const abort = new AbortController();
  const frame = { text: "1\n2\n3\n4\n5\n6\n7\n", exitCode: 0 };
  const watching = watch(out, abort.signal, async () => frame);
  await sleep(20);
  abort.abort(new Error("interrupted"));
  await watching;
  const [drawn = ""] = text().split(SHOW);
  expect(drawn.replaceAll("\u001b[K", "")).toContain("1\n2\n3\n… and 4 more lines\n");
});

test("status --watch is shown once where there is no terminal, and is refused with --json", async () => {
  await using lab = await Lab.start();
  const once = await lab.status({ watch: true });
  expect(once.code).toBe(0);
  expect(once.out).not.toContain("\u001b");
  expect(once.out.match(/Influxion/g)).toHaveLength(1);
  const refused = await lab.status({ watch: true, json: true });
  expect(refused).toMatchObject({ code: 1, out: "", err: expect.stringContaining("--watch") });
});

test("status --watch on a terminal ends with the exit code of what it showed last", async () => {
  await using lab = await Lab.start();
  const abort = new AbortController();
  setTimeout(() => abort.abort(new Error("interrupted")), 1_000);
  const { code, out } = await lab.status({ watch: true, columns: 80, signal: abort.signal });
  expect(code).toBe(0);
  expect(out.match(/Influxion/g)?.length).toBeGreaterThanOrEqual(2);
});
