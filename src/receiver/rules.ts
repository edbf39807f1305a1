import { randomUUID } from "node:crypto";
import type { Receipt } from "../protocol/wire.ts";
import { count } from "../shared/text.ts";
import type { PartContent } from "./backend.ts";
import { shownId } from "./names.ts";
import { Refusal } from "./refusal.ts";

/** What every backend judges alike: docs/wire.md, "Generations" and "Deletions". */

/** What is held of a part's session before it. */
export interface Held {
  /** The newest generation. */
  readonly newest: number | undefined;
  /** Of the deletions that mean the session, the highest `through`. */
  readonly through: number | undefined;
}

/**
 * The generation that a part belongs to.
 * @param named what the part says of it
 * @throws {Refusal} `FORGOTTEN`, `OUT_OF_ORDER`
 */
export function generationOf(named: number | undefined, firstLine: number, held: Held): number {
  const { newest, through = -1 } = held;
  if (named !== undefined) {
    if (named <= through) throw forgotten();
    return named;
  }
  // What has not been deleted yet is gone already.
  if (newest !== undefined && newest > through) return unnamedGeneration(newest, firstLine);
  checkOrder(firstLine, 0, undefined);
  if (through === Number.MAX_SAFE_INTEGER) throw forgotten();
  return through + 1;
}

/**
 * The `through` that is recorded with a generation that a client without the header begins: that of the
 * deletions before. It goes with every later one, whatever its number, and not with their repetitions.
 */
export function unnamedAfter(
  named: number | undefined,
  { through = -1 }: Pick<Held, "through">,
): number | null {
  return named === undefined ? through : null;
}

/**
 * The generation of a part that does not say its own: it continues the newest, or begins one
 * when it starts at line 0.
 */
function unnamedGeneration(newest: number, firstLine: number): number {
  const generation = newest + (firstLine === 0 ? 1 : 0);
  if (Number.isSafeInteger(generation)) return generation;
  const message = "no generation of the session can be newer than the newest";
  throw new Refusal(409, "OUT_OF_ORDER", message);
}

/**
 * @param held lines that are held of the part's generation
 * @param named the generation, if the part says it
 * @throws {Refusal} `OUT_OF_ORDER` when the part does not begin where its generation ends
 */
export function checkOrder(firstLine: number, held: number, named: number | undefined): void {
  if (firstLine === held) return;
  const which = named === undefined ? "newest generation" : `generation ${named}`;
  const message = `the part begins at line ${firstLine}, but the session's ${which} holds ${count(held, "line")}`;
  throw new Refusal(409, "OUT_OF_ORDER", message);
}

function forgotten(): Refusal {
  return new Refusal(422, "FORGOTTEN", "the session was deleted here up to this generation");
}

export function keyReused(key: string): Refusal {
  return new Refusal(
    422,
    "KEY_REUSED",
    `Idempotency-Key ${shownId(key)} was used before for a part with another body`,
  );
}

/** The receipt of a part that is stored for the first time. */
export function newReceipt({
  accepted,
  rejected,
  errors,
}: PartContent): Receipt & { readonly batchId: string } {
  return { accepted, rejected, batchId: randomUUID(), ...(errors.length > 0 ? { errors } : {}) };
}
