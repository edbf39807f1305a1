import type { Receipt } from "../protocol/wire.ts";
import { type Place, readLine } from "./envelope.ts";
import { Refusal } from "./refusal.ts";

/** What a whole body said, without its payloads. */
export interface PartContent {
  readonly agentId: string;
  readonly sessionId: string;
  /** `lineIndex` of the first line. */
  readonly firstLine: number;
  readonly lines: number;
  readonly accepted: number;
  readonly rejected: number;
  /** At most {@link MAX_ERRORS} of the rejected lines. */
  readonly errors: NonNullable<Receipt["errors"]>;
}

/** Keeps a receipt far below `MAX_ANSWER_BYTES`, and the index small. */
export const MAX_ERRORS = 100;

/** Adds up the lines of one body; its size does not grow with their number. */
export class PartTally {
  #session: Omit<Place, "lineIndex"> | undefined;
  /** `lineIndex` of the body's first line, known from the first line that states its own. */
  #first = 0;
  #lines = 0;
  #rejected = 0;
  readonly #errors: { nth: number; reason: string }[] = [];

  /**
   * Returns the payload to keep, or undefined when the line is rejected.
   * @throws {Refusal} when the lines are not one contiguous range of one session.
   */
  add(text: string): string | undefined {
    const line = readLine(text);
    if (line.place !== undefined) this.#check(line.place);
    const nth = this.#lines++;
    if (line.ok) return line.payload;
    this.#rejected++;
    if (this.#errors.length < MAX_ERRORS) this.#errors.push({ nth, reason: line.reason });
    return undefined;
  }

  /** @throws {Refusal} when no line named its session. */
  finish(): PartContent {
    if (this.#lines === 0) throw new Refusal(400, "EMPTY_BODY", "the body has no lines");
    if (this.#session === undefined) {
      throw new Refusal(400, "NO_SESSION", "no line of the body names its session and lineIndex");
    }
    return {
      ...this.#session,
      firstLine: this.#first,
      lines: this.#lines,
      accepted: this.#lines - this.#rejected,
      rejected: this.#rejected,
      errors: this.#errors.map(({ nth, reason }) => ({ lineIndex: this.#first + nth, reason })),
    };
  }

  #check({ agentId, sessionId, lineIndex }: Place): void {
    if (this.#session === undefined) {
      this.#session = { agentId, sessionId };
      this.#first = lineIndex - this.#lines;
    }
    if (agentId !== this.#session.agentId || sessionId !== this.#session.sessionId) {
      throw new Refusal(400, "MIXED_SESSIONS", "the body has lines of more than one session");
    }
    if (this.#first < 0 || lineIndex !== this.#first + this.#lines) {
      const message = `the lines are not contiguous: line ${this.#lines} of the body has lineIndex ${lineIndex}`;
      throw new Refusal(409, "OUT_OF_ORDER", message);
    }
  }
}
