import { randomUUID } from "node:crypto";
import type { Receipt } from "../protocol/wire.ts";
import { count } from "../shared/text.ts";
import type { PartContent } from "./backend.ts";
import { shownId } from "./names.ts";
import { Refusal } from "./refusal.ts";

/** What every backend judges alike: docs/wire.md, "Generations". */

/**
 * The generation of a part that does not say its own: it continues the newest, or begins one
 * when it starts at line 0.
 * @throws {Refusal} `OUT_OF_ORDER`
 */
export function unnamedGeneration(newest: number | undefined, firstLine: number): number {
  if (newest === undefined) return 0;
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
