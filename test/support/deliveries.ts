import { expect } from "vitest";
import type { Envelope } from "../../src/protocol/wire.ts";
import type { FaultServer, RecordedRequest } from "./fault-server.ts";
import type { Transcripts } from "./openclaw-transcripts.ts";

/** What the server holds, as the sessions on disk are read. */
export function heldBy({ stored }: FaultServer): Transcripts {
  const held: Record<string, unknown[]> = {};
  for (const line of [...stored.values()].flat()) {
    const { agentId, sessionId, lineIndex, payload } = JSON.parse(line) as Envelope;
    const session = `${agentId}/${sessionId}`;
    const entries = held[session] ?? [];
    entries[lineIndex] = payload;
    held[session] = entries;
  }
  return held;
}

/** No part was accepted twice, and no line was in two parts. */
export function expectOneDeliveryEach(server: FaultServer): void {
  const taken = server.requests.filter(({ idempotencyKey, behaviour }) => {
    return server.stored.has(idempotencyKey) && !["stall", "status"].includes(behaviour);
  });
  expect(taken).toHaveLength(server.stored.size);
  const lines = [...server.stored.values()].flat().map((line) => {
    const { agentId, sessionId, lineIndex } = JSON.parse(line) as Envelope;
    return `${agentId}/${sessionId}:${lineIndex}`;
  });
  expect(new Set(lines).size).toBe(lines.length);
}

export function requestsWith({ requests }: FaultServer, key: string): RecordedRequest[] {
  return requests.filter(({ idempotencyKey }) => idempotencyKey === key);
}
