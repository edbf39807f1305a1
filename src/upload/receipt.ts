import * as v from "valibot";
import { GenerationSchema, type Receipt, ReceiptSchema } from "../protocol/wire.ts";
import { parseJson } from "../shared/json.ts";

/**
 * The receipt in an answer's body, or null when it is something else. The counts decide:
 * the lines have arrived whatever shape the rest of it has, and a receipt that was taken
 * for none would have them sent again.
 */
export function parseReceipt(body: string): Receipt | null {
  const value = parseJson(body);
  const counts = v.safeParse(ReceiptSchema, value);
  if (!counts.success) return null;
  const { warnings, errors, newestGeneration } = value as Readonly<Record<string, unknown>>;
  return {
    ...counts.output,
    ...readNotes(warnings, errors),
    ...(v.is(GenerationSchema, newestGeneration) ? { newestGeneration } : {}),
  };
}

/** Whether it is JSON, of whatever kind. */
export function isJson(body: string): boolean {
  return parseJson(body) !== undefined;
}

/** What the API says about lines; where it is not of the documented form, that it is not. */
function readNotes(
  warnings: unknown,
  errors: unknown,
): Required<Pick<Receipt, "warnings" | "errors">> {
  const notes: Required<Pick<Receipt, "warnings" | "errors">> = { warnings: [], errors: [] };
  for (const warning of listOf(warnings)) {
    notes.warnings.push(typeof warning === "string" ? warning : "a warning that is not text");
  }
  for (const error of listOf(errors)) {
    const { lineIndex, reason } = Object(error) as Readonly<Record<string, unknown>>;
    if (typeof lineIndex === "number") {
      const text = typeof reason === "string" ? reason : "the reason is not text";
      notes.errors.push({ lineIndex, reason: text });
    } else {
      notes.warnings.push("an error that names no line");
    }
  }
  return notes;
}

function listOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  return value === undefined || value === null ? [] : [value];
}
