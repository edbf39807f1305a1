import { readFileSync } from "node:fs";
import { expect, onTestFinished, test, vi } from "vitest";
import { JsonlReader } from "../../src/stores/jsonl/reader.ts";
import { failReads } from "../support/failing-reads.ts";
import { Lab } from "../support/lab.ts";

/** What Node throws for an errno of the system that libuv has no name for. */
const unnamed = (errno: number): Error =>
  Object.assign(new Error(`Unknown system error ${errno}: Unknown system error ${errno}, read`), {
    errno,
    code: `Unknown system error ${errno}`,
    syscall: "read",
  });

/** Lets every read of the file with this name in its beginning fail. */
function failReadsOf(name: string, error: unknown): void {
  failReads(400, (head) => {
    if (head.includes(name)) throw error;
  });
}

const ERRORS: Readonly<Record<string, unknown>> = {
  ESTALE: unnamed(-116),
  EUCLEAN: unnamed(-117),
  EDEADLK: unnamed(-35),
  "UNKNOWN of Windows": Object.assign(new Error("UNKNOWN: unknown error, read"), {
    errno: -4094,
    code: "UNKNOWN",
    syscall: "read",
  }),
  EIO: Object.assign(new Error("EIO: i/o error, read"), {
    errno: -5,
    code: "EIO",
    syscall: "read",
  }),
  "a TypeError": new TypeError("Cannot read properties of undefined"),
  "something that is no Error": "a string",
};

for (const [name, error] of Object.entries(ERRORS)) {
  test(`P64: ${name} while one session is read is the failure of that one alone`, async () => {
    await using lab = await Lab.start();
    lab.session("main", "bad-one");
    lab.session("main", "good");
    lab.session("other", "good");
    failReadsOf("bad-one", error);
    const report = await lab.run();
    expect(report).toMatchObject({ outcome: "partial", failed: 1, sent: { sessions: 2 } });
    expect(report.failures).toMatchObject([{ sessionId: "bad-one" }]);
    const status = await lab.status({ json: true });
    expect(status.code).toBe(2);
    expect(JSON.parse(status.out).counts).toMatchObject({ found: 3, uploaded: 2, failing: 1 });
    expect((await lab.sync({ dryRun: true })).code).toBe(2);
  });
}

test("P64: an error of the system without a name is told by its number", async () => {
  await using lab = await Lab.start();
  lab.session("main", "bad-one");
  failReadsOf("bad-one", unnamed(-116));
  const [failure] = (await lab.run()).failures;
  expect(failure?.reason).toBe("cannot be read (system error -116 in read)");
});

test("P58 P64: an unexpected error is told without its words, which may be those of a conversation", async () => {
  await using lab = await Lab.start();
  lab.session("main", "bad-one");
  failReadsOf("bad-one", new SyntaxError('Unexpected token, "my secret" is not valid JSON'));
  const [failure] = (await lab.run()).failures;
  expect(failure?.reason).toBe(
    "cannot be read because of an unexpected SyntaxError; please report it",
  );
});

test("P64: an error that begins when a session is sent is the failure of that one alone", async () => {
  await using lab = await Lab.start();
  lab.session("main", "bad-one");
  const good = lab.session("main", "good");
  const read = JsonlReader.prototype.read;
  const spy = vi.spyOn(JsonlReader.prototype, "read").mockImplementation(async function* (
    this: JsonlReader,
    ...args
  ) {
    for await (const block of read.apply(this, args)) {
      if (block.includes("bad-one")) throw unnamed(-116);
      yield block;
    }
  });
  onTestFinished(() => spy.mockRestore());
  const report = await lab.run();
  expect(report).toMatchObject({ outcome: "partial", failed: 1, sent: { sessions: 1 } });
  expect(lab.received("main", "good")).toBe(readFileSync(good, "utf8"));
});
