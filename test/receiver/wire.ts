export const KEY = "key-for-tests";

export interface LineOptions {
  readonly projectId?: string;
  readonly deploymentId?: string;
  readonly agentId?: string;
  readonly sessionId?: string;
  readonly lineIndex?: number;
  /** The entry's text as it shall stand in the line. */
  readonly payload?: string;
}

/** A valid line as our client writes it: payload last, spliced in. */
export function line(options: LineOptions = {}): string {
  const { projectId = "p", deploymentId = "d" } = options;
  const { agentId = "main", sessionId = "s1", lineIndex = 0 } = options;
  const payload = options.payload ?? entry(lineIndex);
  const head = JSON.stringify({
    deploymentId,
    projectId,
    agentId,
    agentName: agentId,
    sessionId,
    sessionFile: `agents/${agentId}/sessions/${sessionId}.jsonl`,
    lineIndex,
    capturedAt: "2026-01-01T00:00:00.000Z",
  });
  return `${head.slice(0, -1)},"payload":${payload}}`;
}

export function entry(n: number): string {
  return `{"type":"message","n":${n}}`;
}

/** A body of lines `from` to `to`, exclusive. */
export function body(from: number, to: number, options: LineOptions = {}): string {
  return Array.from(
    { length: to - from },
    (_, n) => `${line({ ...options, lineIndex: from + n })}\n`,
  ).join("");
}

export function entries(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, n) => `${entry(from + n)}\n`).join("");
}

export function headersFor(idempotencyKey: string): Record<string, string> {
  return {
    authorization: `Bearer ${KEY}`,
    "content-type": "application/x-ndjson",
    "content-encoding": "gzip",
    "idempotency-key": idempotencyKey,
  };
}
