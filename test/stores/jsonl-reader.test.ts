import { appendFileSync, openSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { MAX_PART_BYTES } from "../../src/protocol/limits.ts";
import { SourceChangedError } from "../../src/shared/problem.ts";
import { MAX_SEARCH_BYTES } from "../../src/stores/jsonl/reader.ts";
import { openJsonlStore } from "../../src/stores/jsonl.ts";
import type { Reader, Searched } from "../../src/stores/store.ts";
import { newStateDir } from "../support/agent-db.ts";
import { header, lines, message, rest, session, write } from "../support/transcripts.ts";

const MAX = { maxBytes: MAX_PART_BYTES };

/** A folder with one file in it, and a way to open that. */
function folder(content: string | Buffer, name = "abc.jsonl") {
  const dir = newStateDir();
  const path = write(join(dir, name), content);
  const factsOf = () => ({ isOurs: true, names: [] });
  const store = openJsonlStore({ agentId: "main", folders: [{ dir, factsOf }], now: Date.now });
  const open = async (signal?: AbortSignal): Promise<Reader> => {
    const [stream] = (await store.list()).streams;
    if (stream === undefined) throw new Error("nothing is listed");
    const reader = await store.open(stream, signal);
    onTestFinished(() => reader.close().catch(() => undefined));
    return reader;
  };
  return { dir, path, store, open };
}

/** Makes a file longer by bytes that take no room on the disk, and ends it with `tail`. */
function stretch(path: string, bytes: number, tail = ""): void {
  truncateSync(path, bytes);
  appendFileSync(path, tail);
  rest(path);
}

async function consume(blocks: AsyncIterable<Buffer>): Promise<void> {
  for await (const _ of blocks);
}

test("P33: one look at a very long line is bounded, and the next goes on where it ended", async () => {
  const start = `${header("abc")}\n`;
  const end = MAX_PART_BYTES + 3 * MAX_SEARCH_BYTES + 1000;
  const { path, open } = folder(start);
  stretch(path, end, `\n${message(1)}\n`);
  let searched: Searched | undefined;
  const reached: number[] = [];
  for (;;) {
    // A reader of its own each time, as in another run.
    const cut = await (await open()).cut(start.length, { ...MAX, searched });
    if (cut.kind === "range") {
      expect(cut).toMatchObject({ end: end + 1, omitted: true, bytes: end + 1 - start.length });
      break;
    }
    if (cut.kind !== "unfinished") throw new Error(cut.kind);
    expect(cut.searched.to - (searched?.to ?? start.length + MAX_PART_BYTES)).toBe(
      MAX_SEARCH_BYTES,
    );
    searched = cut.searched;
    reached.push(searched.to);
  }
  expect(reached).toHaveLength(3);
  const rest = await (await open()).cut(end + 1, MAX);
  expect(rest).toMatchObject({ kind: "range", omitted: false });
});

test("P33: what was searched and rewritten since is searched again", async () => {
  const { path, open } = folder("");
  const start = `${header("abc")}\n`;
  const size = MAX_PART_BYTES + 2 * MAX_SEARCH_BYTES;
  writeFileSync(path, start);
  stretch(path, size);
  const first = await (await open()).cut(start.length, MAX);
  if (first.kind !== "unfinished") throw new Error(first.kind);
  const { searched } = first;
  const file = openSync(path, "r+");
  writeSync(file, Buffer.from('"}\n'), 0, 3, searched.to - 100);
  rest(path);
  const cut = await (await open()).cut(start.length, { ...MAX, searched });
  expect(cut).toMatchObject({ kind: "range", end: searched.to - 97 });
  // What was searched behind another place is nothing to this one.
  const other = { ...searched, from: 0 };
  expect(await (await open()).cut(start.length, { ...MAX, searched: other })).toEqual(cut);
});

test("P33: a last line that is very long is not searched again and again once its end was reached", async () => {
  const { path, open } = folder(`${header("abc")}\n`);
  stretch(path, MAX_PART_BYTES + MAX_SEARCH_BYTES);
  const from = Buffer.byteLength(`${header("abc")}\n`);
  expect(await (await open()).cut(from, MAX)).toEqual({ kind: "end", torn: true });
});

test("P51: a reader that is busy with a long line ends when it is told to", async () => {
  const { path, open } = folder(`${header("abc")}\n`);
  stretch(path, 10 * MAX_SEARCH_BYTES);
  const abort = new AbortController();
  const reader = await open(abort.signal);
  const uses = [
    () => reader.cut(Buffer.byteLength(`${header("abc")}\n`), MAX),
    () => reader.legacyEnd?.(10 * MAX_SEARCH_BYTES, "0".repeat(64)),
    () => consume(reader.read(0, 10 * MAX_SEARCH_BYTES)),
  ].map((use) => use());
  const ended = Promise.all(uses.map((use) => expect(use).rejects.toThrow("enough")));
  abort.abort(new Error("enough"));
  await ended;
});

test("P21: a file that is not the one that was listed is looked at again later", async () => {
  const { path, store, dir } = folder(lines(session("abc")));
  const [stream] = (await store.list()).streams;
  if (stream === undefined) throw new Error("nothing is listed");
  const { renameSync } = await import("node:fs");
  renameSync(path, `${path}.reset.2026-11-22T09-56-39.719Z`);
  write(join(dir, "abc.jsonl"), lines(session("abc")));
  await expect(store.open(stream)).rejects.toThrow(SourceChangedError);
});

const zeros = (bytes: number): Buffer => Buffer.alloc(bytes);

test.for([
  ["of zero bytes only", zeros(5000), /^abc\.jsonl holds only zero bytes/],
  ["of one zero byte", zeros(1), /^abc\.jsonl holds only zero bytes/],
  [
    "of zero bytes and then something else",
    Buffer.concat([zeros(5000), Buffer.from("some notes\n")]),
    /does not begin like an OpenClaw session/,
  ],
] as const)("P71: a file %s is no session, and called what it is", async ([, content, words]) => {
  const { open } = folder(content as Buffer);
  await expect(open()).rejects.toMatchObject({ code: "NOT_A_SESSION", message: words });
});

test("P33: a file of terabytes of zero bytes is told at once", async () => {
  const { path, open } = folder("");
  stretch(path, 4 * 1024 ** 4);
  const started = performance.now();
  await expect(open()).rejects.toMatchObject({
    code: "NOT_A_SESSION",
    message: expect.stringContaining("begins with more than 64 MiB of zero bytes"),
  });
  expect(performance.now() - started).toBeLessThan(5000);
});

test.for([
  ["the header", lines(session("abc"))],
  ["the rest of a line", `lo"}}\n${lines(session("abc").slice(1))}`],
  ["a newline", `\n${lines(session("abc"))}`],
  ["a long rest of a line", `${"x".repeat(200_000)}"}\n${lines(session("abc").slice(1))}`],
])("P71: zero bytes at the head are passed over to find %s", async ([, text]) => {
  for (const count of [1, 4096, 70_000, 3_000_000]) {
    const { open } = folder(Buffer.concat([zeros(count), Buffer.from(text as string)]));
    expect(await (await open()).cut(0, MAX)).toMatchObject({ kind: "range" });
  }
});
