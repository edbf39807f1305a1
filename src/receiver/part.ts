import type { Entry, PartContent, Place, SessionIds } from "./backend.ts";
import { type LinePlace, readLine } from "./envelope.ts";
import { Refusal } from "./refusal.ts";

/** Keeps a receipt far below `MAX_ANSWER_BYTES`, and the index small. */
export const MAX_ERRORS = 100;

/** Adds up the lines of one body; its size does not grow with their number. */
export class PartTally {
  #ids: Partial<SessionIds> = {};
  /** `lineIndex` of the body's first line, known from the first line that states its own. */
  #first: number | undefined;
  #lines = 0;
  #rejected = 0;
  readonly #errors: { nth: number; reason: string }[] = [];

  /**
   * Returns the entry to keep, or undefined when the line is rejected.
   * @throws {Refusal} when the lines are not one contiguous range of one session.
   */
  add(text: string): Entry | undefined {
    const line = readLine(text);
    if (line.place !== undefined) this.#check(line.place);
    const nth = this.#lines++;
    if (line.ok) return { lineIndex: line.place.lineIndex, payload: line.payload };
    this.#rejected++;
    if (this.#errors.length < MAX_ERRORS) this.#errors.push({ nth, reason: line.reason });
    return undefined;
  }

  /** Known as soon as a line was accepted. @throws {Refusal} when no line named its session. */
  get place(): Place {
    const { projectId, deploymentId, agentId, sessionId } = this.#ids;
    if (
      projectId === undefined ||
      deploymentId === undefined ||
      agentId === undefined ||
      sessionId === undefined ||
      this.#first === undefined
    ) {
      const message =
        "no line of the body names its project, deployment, agent, session and lineIndex";
      throw new Refusal(400, "NO_SESSION", message);
    }
    return { projectId, deploymentId, agentId, sessionId, firstLine: this.#first };
  }

  /** @throws {Refusal} when no line named its session. */
  finish(): PartContent {
    if (this.#lines === 0) throw new Refusal(400, "EMPTY_BODY", "the body has no lines");
    const { place } = this;
    return {
      ...place,
      lines: this.#lines,
      accepted: this.#lines - this.#rejected,
      rejected: this.#rejected,
      errors: this.#errors.map(({ nth, reason }) => ({ lineIndex: place.firstLine + nth, reason })),
    };
  }

  #check({ lineIndex, ...ids }: LinePlace): void {
    this.#first ??= lineIndex - this.#lines;
    this.#ids = oneSession(this.#ids, ids);
    if (this.#first < 0 || lineIndex !== this.#first + this.#lines) {
      const message = `the lines are not contiguous: line ${this.#lines} of the body has lineIndex ${lineIndex}`;
      throw new Refusal(409, "OUT_OF_ORDER", message);
    }
  }
}

const ID_FIELDS = ["projectId", "deploymentId", "agentId", "sessionId"] as const;

/** What is known of the session from the lines before, with what one more says. */
function oneSession(
  known: Partial<SessionIds>,
  said: Omit<LinePlace, "lineIndex">,
): Partial<SessionIds> {
  const ids: { -readonly [field in keyof SessionIds]?: string } = { ...known };
  for (const field of ID_FIELDS) {
    const id = said[field];
    if (id === undefined) continue;
    ids[field] ??= id;
    if (ids[field] !== id) {
      throw new Refusal(400, "MIXED_SESSIONS", "the body has lines of more than one session");
    }
  }
  return ids;
}
