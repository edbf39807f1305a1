import { expect, test } from "vitest";
import { CodingChoice } from "../../src/upload/coding.ts";
import {
  type Behaviour,
  type FaultServerOptions,
  type RecordedRequest,
  startFaultServer,
} from "../support/fault-server.ts";
import { Lab } from "../support/lab.ts";
import { message } from "../support/transcripts.ts";

test.for([
  ["zstd", "zstd"],
  ["gzip, zstd", "zstd"],
  ["gzip;q=1.0, ZSTD;q=0.5", "zstd"],
  ["zstd;q=0, gzip", "gzip"],
  ["zstd;q=0.000", "gzip"],
  ["gzip", "gzip"],
  ["*", "gzip"],
  ["xzstd, zstd2", "gzip"],
  ["", "gzip"],
])("after a receipt with Accept-Encoding %j the next part is %s", ([header, coding]) => {
  const choice = new CodingChoice(undefined);
  expect(choice.next).toBe("gzip");
  choice.advertised(header);
  expect(choice.next).toBe(coding);
});

test("a receipt without Accept-Encoding teaches nothing", () => {
  const choice = new CodingChoice("zstd");
  choice.advertised(undefined);
  expect(choice.next).toBe("zstd");
});

const ZSTD: FaultServerOptions = { receiptHeaders: { "accept-encoding": "zstd, gzip" } };

/** Uploads three sessions one after the other, in a run each, and tells what each request was. */
async function threeRuns(options: FaultServerOptions): Promise<readonly RecordedRequest[]> {
  await using lab = await Lab.start();
  const server = await startFaultServer(options);
  for (const id of ["one", "two", "three"]) {
    lab.session("main", id);
    const report = await lab.run({ apiUrl: server.url, upload: { retryAttempts: 1 } });
    expect(report).toMatchObject({ outcome: "done", sent: { lines: 5 } });
  }
  await server.close();
  return server.requests;
}

const codings = (requests: readonly RecordedRequest[]): string[] =>
  requests.map(({ contentEncoding }) => contentEncoding);

test("gzip stays where no receipt names zstd", async () => {
  expect(codings(await threeRuns({}))).toEqual(["gzip", "gzip", "gzip"]);
});

test("once a receipt has named zstd, the next parts are zstd, also in later runs and processes", async () => {
  const requests = await threeRuns(ZSTD);
  expect(codings(requests)).toEqual(["gzip", "zstd", "zstd"]);
  expect(requests.every(({ lines }) => lines?.length === 5)).toBe(true);
});

test("within a run, the part behind the one that was answered is zstd already", async () => {
  await using lab = await Lab.start();
  const server = await startFaultServer(ZSTD);
  const path = lab.session("main", "long");
  lab.append(
    path,
    Array.from({ length: 90 }, (_, n) => message(n + 4, "x".repeat(100_000))),
  );
  await lab.run({ apiUrl: server.url });
  expect(codings(server.requests)).toEqual(["gzip", "zstd"]);
  await server.close();
});

test("an API that names zstd no more gets gzip again", async () => {
  const requests = await threeRuns({
    receiptHeaders: ({ index }) => ({ "accept-encoding": index === 0 ? "zstd" : "gzip" }),
  });
  expect(codings(requests)).toEqual(["gzip", "zstd", "gzip"]);
});

test.for([415, 400, 404, 405, 410, 501])(
  "P31: when zstd is refused with %d although a receipt named it, the same part goes as gzip at once, under the same key, and none is tried as zstd again",
  async (status) => {
    const requests = await threeRuns({
      ...ZSTD,
      script: ({ contentEncoding }): Behaviour | undefined =>
        contentEncoding === "zstd" ? { kind: "status", status } : undefined,
    });
    expect(codings(requests)).toEqual(["gzip", "zstd", "gzip", "gzip"]);
    const [, refused, again] = requests;
    expect(again?.idempotencyKey).toBe(refused?.idempotencyKey);
    expect(again?.decodedSha256).toBe(refused?.decodedSha256);
  },
);

test.for([404, 422])(
  "P31: a part that is answered %d in gzip, too, was not refused for its coding",
  async (status) => {
    await using lab = await Lab.start();
    let answer: Behaviour | undefined;
    const server = await startFaultServer({ ...ZSTD, script: () => answer });
    for (const [id, next] of [["one"], ["two", { kind: "status", status }], ["three"]] as const) {
      answer = next;
      lab.session("main", id);
      await lab.run({ apiUrl: server.url });
    }
    await server.close();
    expect(codings(server.requests).slice(0, 3)).toEqual(["gzip", "zstd", "gzip"]);
    expect(server.requests.at(-1)).toMatchObject({ contentEncoding: "zstd", complete: true });
  },
);

test("P31: a part that is tried again keeps its coding and its bytes", async () => {
  const requests = await threeRuns({
    ...ZSTD,
    script: ({ index }) => (index === 1 ? { kind: "status", status: 503 } : undefined),
  });
  expect(codings(requests)).toEqual(["gzip", "zstd", "zstd", "zstd"]);
  const [, first, again] = requests;
  expect(again?.idempotencyKey).toBe(first?.idempotencyKey);
  expect(again?.sha256).toBe(first?.sha256);
});
