import * as v from "valibot";
import { type Envelope, EnvelopeSchema } from "../protocol/wire.ts";
import { isObject, parseJson } from "../shared/json.ts";

/** Which session a line belongs to, and where in it. */
export type LinePlace = v.InferOutput<typeof PlaceSchema>;

/** What one line of a body turned out to be. */
export type Line =
  /** `payload` is the entry as it stood in the line, byte for byte. */
  | { readonly ok: true; readonly place: Pick<Envelope, keyof LinePlace>; readonly payload: string }
  /** `place` is known when at least that much of the line could be read. */
  | { readonly ok: false; readonly place: LinePlace | undefined; readonly reason: string };

const { projectId, deploymentId, agentId, sessionId, lineIndex } = EnvelopeSchema.entries;

const PlaceSchema = v.object({
  // A line may be wrong in these, and tell its place all the same.
  projectId: v.fallback(v.optional(projectId), undefined),
  deploymentId: v.fallback(v.optional(deploymentId), undefined),
  agentId,
  sessionId,
  lineIndex,
});

/** Reasons travel in receipts and are kept in the index. */
const MAX_REASON_LENGTH = 200;

export function readLine(text: string): Line {
  const parsed = parse(text);
  if (parsed === undefined) {
    return { ok: false, place: undefined, reason: "the line is not a JSON object" };
  }
  const result = v.safeParse(EnvelopeSchema, parsed.value, { abortEarly: true });
  if (result.success) return { ok: true, place: result.output, payload: parsed.payload };
  const place = v.safeParse(PlaceSchema, parsed.value);
  return {
    ok: false,
    place: place.success ? place.output : undefined,
    reason: reasonOf(result.issues[0]),
  };
}

interface Parsed {
  readonly value: object;
  readonly payload: string;
}

function parse(text: string): Parsed | undefined {
  return parseAround(text) ?? parseWhole(text);
}

const PAYLOAD_KEY = '"payload":';

/**
 * Takes a line apart at its payload without serialising it again. Within a JSON string
 * a quote is always escaped, so the first `"payload":` is a key. What is left of it
 * (closed with a `null`) and what is right of it must each be JSON; then the whole is.
 */
function parseAround(text: string): Parsed | undefined {
  const key = text.indexOf(PAYLOAD_KEY);
  const end = text.lastIndexOf("}");
  if (key < 0 || text.slice(end + 1).trim() !== "") return undefined;
  const payload = text.slice(key + PAYLOAD_KEY.length, end);
  const head = parseJson(`${text.slice(0, key)}${PAYLOAD_KEY}null}`);
  const inner = parseJson(payload);
  return isObject(head) && inner !== undefined
    ? { value: { ...head, payload: inner }, payload }
    : undefined;
}

/** For clients that do not put the payload last: the entry survives, its spelling does not. */
function parseWhole(text: string): Parsed | undefined {
  const value = parseJson(text);
  if (!isObject(value)) return undefined;
  return { value, payload: "payload" in value ? JSON.stringify(value.payload) : "" };
}

/** Valibot's own message may quote what it received, which is somebody's conversation. */
function reasonOf(issue: v.BaseIssue<unknown>): string {
  const path = v.getDotPath(issue) ?? "the line";
  return `${path}: expected ${expectedBy(issue)}`.slice(0, MAX_REASON_LENGTH);
}

function expectedBy({ expected, type }: v.BaseIssue<unknown>): string {
  if (expected === "never") return "no such field";
  if (type === "non_empty") return "a value";
  return expected ?? type.replaceAll("_", " ");
}
