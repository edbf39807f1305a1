import { expect, test } from "vitest";
import type { RunReport } from "../../src/run/report.ts";
import { startFaultServer } from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";

/** A run of one session of five lines against an API that gives this answer, and one more run. */
async function answered(
  body: string,
): Promise<{ report: RunReport; again: RunReport; requests: number }> {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const server = await startFaultServer({ default: { kind: "status", status: 200, body } });
  const report = await lab.run({ apiUrl: server.url });
  const again = await lab.run({ apiUrl: server.url });
  await server.close();
  return { report, again, requests: server.requests.length };
}

const receipt = (rest: string): string => `{"accepted":5,"rejected":0,"batchId":"b"${rest}}`;
const deep = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);
const deepObject = (levels: number): string => '{"a":'.repeat(levels) + 1 + "}".repeat(levels);

const NOT_TEXT = "a warning that is not text";
const NO_LINE = "an error that names no line";

test.for([
  ["deep lists as a warning", `,"warnings":[${deep(150_000)}]`, [NOT_TEXT]],
  ["deep lists as warnings", `,"warnings":${deep(450_000)}`, [NOT_TEXT]],
  ["deep objects as a warning", `,"warnings":[${deepObject(100_000)}]`, [NOT_TEXT]],
  ["a warning that is an object", ',"warnings":[{"toJSON":1}]', [NOT_TEXT]],
  ["a warning that is null", ',"warnings":[null,"b"]', [NOT_TEXT, "b"]],
  ["one warning without a list", ',"warnings":"careful"', ["careful"]],
  ["a number as warnings", ',"warnings":3', [NOT_TEXT]],
  ["warnings that are null", ',"warnings":null', []],
  ["very many warnings", `,"warnings":[${"1,".repeat(400_000)}1]`, [NOT_TEXT]],
  ["control characters", ',"warnings":["\\u001b[2J\\u009b2J\\u202e"]', ["?[2J?2J?"]],
  ["a long warning", `,"warnings":["${"w".repeat(900_000)}"]`, ["w".repeat(200)]],
  ["deep lists as an error", `,"errors":[${deep(150_000)}]`, [NO_LINE]],
  ["errors that are null", ',"errors":null', []],
  ["an error that is text", ',"errors":["bad"]', [NO_LINE]],
  [
    "a deep reason",
    `,"errors":[{"lineIndex":1,"reason":${deep(150_000)}}]`,
    ["main/abc line 1 was rejected: the reason is not text"],
  ],
  [
    "an error without a reason",
    ',"errors":[{"lineIndex":2}]',
    ["main/abc line 2 was rejected: the reason is not text"],
  ],
  ["a batchId that is a number", ',"batchId":7', []],
  ["a newest generation that is text", ',"newestGeneration":"9000000000000"', []],
  ["a newest generation that is negative", ',"newestGeneration":-1', []],
  ["a newest generation that is no integer", ',"newestGeneration":1e300', []],
  ["a newest generation with no room above it", ',"newestGeneration":9007199254740991', []],
  ["an older newest generation", ',"newestGeneration":7', []],
  ["members that nobody knows", `,"more":${deep(100_000)},"__proto__":{"accepted":9}`, []],
] as const)("P1: a receipt is one whatever else it says: %s", async ([, rest, warnings]) => {
  const { report, again, requests } = await answered(receipt(rest));
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 }, warnings });
  expect(again).toMatchObject({ outcome: "done", sent: { lines: 0 } });
  expect(requests).toBe(1);
});

test.for([
  ["a negative count", '{"accepted":6,"rejected":-1,"batchId":"b"}'],
  ["fractions", '{"accepted":4.5,"rejected":0.5,"batchId":"b"}'],
  ["a deep count", `{"accepted":${deep(150_000)},"rejected":0,"batchId":"b"}`],
  ["deep lists", deep(500_000)],
  ["a number", "5"],
  ["null", "null"],
] as const)("P1: what does not count the lines is none: %s", async ([, body]) => {
  const { report } = await answered(body);
  expect(report).toMatchObject({ outcome: "unreachable", sent: { lines: 0 } });
  expect(report.reason).toBe(
    "answered 200 without a receipt: its JSON does not count the lines as accepted and rejected; check apiUrl",
  );
});

test.for([
  ["no batchId", '{"accepted":5,"rejected":0}'],
  ["a batchId that is an object, behind other counts", '{"batchId":{},"rejected":2,"accepted":3}'],
] as const)("P1: the counts alone make a receipt: %s", async ([, body]) => {
  const { report, again, requests } = await answered(body);
  expect(report.sent.lines).toBe(5);
  expect(again).toMatchObject({ outcome: "done", sent: { lines: 0 } });
  expect(requests).toBe(1);
});
