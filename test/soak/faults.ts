import type { Behaviour } from "../support/fault-server.ts";
import type { Dice } from "./dice.ts";

/** One way in which an API, or what is in front of it, treats a request; most are let through. */
export function behaviour(dice: Dice): Behaviour {
  const kind = dice.weighted({
    accept: 55,
    "accept-then-drop": 8,
    "in-answer": 4,
    "after-answer-headers": 3,
    "accept-then-close": 3,
    "before-body": 2,
    "in-body": 4,
    "after-body": 3,
    busy: 4,
    unavailable: 5,
    unauthorized: 1,
    html: 2,
    garbage: 2,
    early: 2,
    stall: 3,
    "slow-read": 3,
    "wrong-counts": 1,
    refused: 1,
  });
  switch (kind) {
    case "accept":
    case "accept-then-drop":
    case "html":
    case "garbage":
    case "stall":
      return { kind };
    case "accept-then-close":
      return { kind, when: dice.pick(["idle", "next-request"] as const) };
    case "before-body":
    case "after-body":
    case "after-answer-headers":
    case "in-answer":
      return { kind: "cut", at: kind };
    case "in-body":
      return { kind: "cut", at: kind, afterBytes: dice.int(1, 2000) };
    case "busy":
      return { kind: "status", status: 429, headers: { "retry-after": String(dice.int(0, 1)) } };
    case "unavailable":
      return { kind: "status", status: dice.pick([500, 502, 503, 504, 408, 425]) };
    case "unauthorized":
      return { kind: "status", status: dice.pick([401, 403]) };
    case "refused":
      return { kind: "status", status: dice.pick([400, 409, 422]) };
    case "early":
      return {
        kind: "early-status",
        afterwards: dice.pick(["close", "keep-reading"] as const),
        status: 503,
      };
    case "slow-read":
      return { kind, bytes: 4000, everyMs: 1 };
    case "wrong-counts":
      return { kind, accepted: 1_000_000, rejected: 0 };
  }
}
