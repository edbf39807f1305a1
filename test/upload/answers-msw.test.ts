import { gunzipSync } from "node:zlib";
import { HttpRequestInterceptor } from "@mswjs/interceptors/http";
import { HttpResponse, http } from "msw";
import { defineNetwork, InterceptorSource } from "msw/experimental";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { INGEST_PATH } from "../../src/protocol/wire.ts";
import { API_KEY, Lab } from "../support/lab.ts";

const network = defineNetwork({
  sources: [new InterceptorSource({ interceptors: [new HttpRequestInterceptor()] })],
  handlers: [],
  context: { quiet: true },
});

beforeAll(() => network.enable());
afterEach(() => network.resetHandlers());
afterAll(() => network.disable());

const receipt = (accepted: number, more: object = {}) =>
  HttpResponse.json({ accepted, rejected: 0, batchId: "batch-1", ...more });

interface Seen {
  readonly headers: Headers;
  /** Lines of the decoded body. */
  readonly lines: readonly string[];
}

/** One run with one session of five lines against an API that gives these answers in turn. */
async function against(answers: readonly ((request: Seen) => Response)[]) {
  await using lab = await Lab.start();
  lab.session("main", "abc");
  const requests: Seen[] = [];
  network.use(
    // The address is that of a real server, which no request reaches: a name that does not resolve would be looked up.
    http.post(`${lab.receiver.url}${INGEST_PATH}`, async ({ request }) => {
      const answer = answers[Math.min(requests.length, answers.length - 1)];
      const body = gunzipSync(Buffer.from(await request.arrayBuffer())).toString();
      const seen = { headers: request.headers, lines: body.trim().split("\n") };
      requests.push(seen);
      return answer?.(seen) ?? HttpResponse.error();
    }),
  );
  const report = await lab.run({ upload: { retryAttempts: 2 } });
  expect(lab.receiver.stats().parts).toBe(0);
  return { report, requests };
}

const status =
  (code: number, headers: Record<string, string> = {}) =>
  () =>
    new HttpResponse("{}", { status: code, headers });

test("P1: a receipt that counts every line sent is delivery", async () => {
  const { report, requests } = await against([() => receipt(5)]);
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5, parts: 1 } });
  expect(requests[0]?.headers.get("authorization")).toBe(`Bearer ${API_KEY}`);
  expect(requests[0]?.lines).toHaveLength(5);
});

test.for([200, 201, 202, 299])("P40: %i with a receipt is delivery", async (code) => {
  const { report } = await against([
    () => HttpResponse.json({ accepted: 5, rejected: 0, batchId: "b" }, { status: code }),
  ]);
  expect(report.outcome).toBe("done");
});

test.for([
  ["HTML", () => HttpResponse.html("<html>sign in</html>")],
  ["nothing", () => new HttpResponse(null, { status: 200 })],
  ["other JSON", () => HttpResponse.json({ ok: true })],
  ["too few lines", () => receipt(4)],
  ["too many lines", () => receipt(6)],
  [
    "a count that is no count",
    () => HttpResponse.json({ accepted: "5", rejected: 0, batchId: "b" }),
  ],
  ["a network error", () => HttpResponse.error()],
] as const)("P1, P40: 200 with %s is retried, then pending", async ([, answer]) => {
  const { report, requests } = await against([answer]);
  expect(report).toMatchObject({
    outcome: "unreachable",
    sent: { lines: 0 },
    left: { sessions: 1 },
  });
  expect(requests).toHaveLength(3);
  expect(new Set(requests.map((request) => request.headers.get("idempotency-key"))).size).toBe(1);
});

test.for([408, 425, 429, 500, 502, 503, 504])("P40: %i is retried", async (code) => {
  const { report, requests } = await against([status(code), () => receipt(5)]);
  expect(report.outcome).toBe("done");
  expect(requests).toHaveLength(2);
});

test.for([401, 403])("P40: %i stops the run", async (code) => {
  const { report, requests } = await against([status(code)]);
  expect(report.outcome).toBe("refused");
  expect(requests).toHaveLength(1);
});

test.for([400, 402, 406, 415, 418, 422, 451, 499, 501, 505])(
  "P40: %i puts the session aside",
  async (code) => {
    const { report, requests } = await against([status(code)]);
    expect(report).toMatchObject({ outcome: "partial", failed: 1 });
    expect(requests).toHaveLength(1);
  },
);

test("P40, P70: 409 begins a new generation, once; then it puts the session aside", async () => {
  const { report, requests } = await against([status(409)]);
  expect(report).toMatchObject({ outcome: "partial", failed: 1 });
  expect(requests).toHaveLength(2);
});

test.for([301, 302, 303, 307, 308])("P40, P49: %i is not followed", async (code) => {
  const { report, requests } = await against([
    status(code, { location: "https://elsewhere.test/" }),
  ]);
  expect(report.reason).toContain("redirect to https://elsewhere.test; redirects are not followed");
  expect(requests).toHaveLength(1);
});

test("P40: 413 is halved until the API takes it", async () => {
  const sizes: number[] = [];
  const { report } = await against([
    ({ lines }) => {
      sizes.push(lines.length);
      return lines.length > 2 ? status(413)() : receipt(lines.length);
    },
  ]);
  expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
  expect(sizes[0]).toBe(5);
  expect(sizes.filter((lines) => lines <= 2).reduce((sum, lines) => sum + lines, 0)).toBe(5);
});

test("warnings of the API are shown", async () => {
  const { report } = await against([
    () => receipt(5, { warnings: ["the project is nearly full", { code: 7 }] }),
  ]);
  expect(report.warnings).toEqual(["the project is nearly full", "a warning that is not text"]);
});
