import { expect, test } from "vitest";
import { classifyAnswer, type Outcome } from "../../src/upload/classify.ts";

const NOW = Date.parse("2026-11-22T12:00:00Z");

const outcomeOf = (status: number, more: object = {}): Outcome =>
  classifyAnswer({ status, body: "", endless: false, ...more }, 5, NOW);

/** The table of docs/wire.md, by class; what is not named here is as the rest of its class. */
const TABLE: readonly [from: number, to: number, kind: Outcome["kind"], others: object][] = [
  [0, 99, "retry", {}],
  [200, 299, "retry", {}],
  [300, 399, "unreachable", {}],
  [
    400,
    499,
    "backoff",
    {
      refused: [401, 403],
      "not-found": [404, 405, 410],
      unreachable: [407, 411, 414, 417, 421, 426, 431],
      "too-large": [413],
      retry: [408, 425, 429],
    },
  ],
  [500, 599, "retry", { backoff: [501, 505] }],
  [600, 999, "retry", {}],
];

test.for(TABLE)("P69: every status from %i to %i is %s, except %o", ([from, to, kind, others]) => {
  for (let status = from; status <= to; status++) {
    const other = Object.entries(others as Record<string, number[]>).find(([, list]) =>
      list.includes(status),
    );
    expect(`${status} ${outcomeOf(status).kind}`).toBe(`${status} ${other?.[0] ?? kind}`);
  }
});

test("P41, P69: Retry-After is heard with every status that is retried", () => {
  for (const status of [408, 429, 500, 511, 530, 600]) {
    expect(outcomeOf(status, { retryAfter: "7" })).toMatchObject({ kind: "retry", waitMs: 7000 });
  }
});

test.for([401, 403])(
  "P42, P69: %i is about the key when the API says so, and else about the way",
  (status) => {
    const kindOf = (contentType?: string, proxy?: string) =>
      outcomeOf(status, { contentType, proxy }).kind;
    const json = "application/problem+json; charset=utf-8";
    for (const type of [json, "text/plain", undefined]) expect(kindOf(type)).toBe("refused");
    expect(kindOf(json, "http_proxy")).toBe("refused");
    for (const type of ["text/html", "Application/XHTML+xml"]) {
      expect(kindOf(type)).toBe("unreachable");
    }
    for (const type of ["text/html", "text/plain", undefined]) {
      expect(outcomeOf(status, { contentType: type, proxy: "http_proxy" })).toMatchObject({
        kind: "unreachable",
        reason: expect.stringContaining("the proxy set by http_proxy"),
      });
    }
  },
);

test("P69: 511 says to sign in to the network", () => {
  expect(outcomeOf(511)).toMatchObject({ reason: expect.stringContaining("sign in") });
});

test.for([
  ["nginx", "text/html", "<center>The plain HTTP request was sent to HTTPS port</center>"],
  ["Go", "text/plain; charset=utf-8", "Client sent an HTTP request to an HTTPS server.\n"],
  ["Apache", "text/html", "Reason: You're speaking plain HTTP to an SSL-enabled server port.<br>"],
])("P69: 400 of %s for http on a port of https is about apiUrl", ([, contentType, body]) => {
  expect(outcomeOf(400, { contentType, body })).toMatchObject({
    kind: "unreachable",
    reason: "answered 400: https is spoken there; check apiUrl",
  });
});

test("P69: 400 of an API that quotes such words is about the session", () => {
  const body = '{"error":"line 3: The plain HTTP request was sent to HTTPS port"}';
  expect(outcomeOf(400, { contentType: "application/json", body }).kind).toBe("backoff");
});
