import { createHash } from "node:crypto";
import { join } from "node:path";
import * as v from "valibot";
import { readRegular } from "../shared/open-file.ts";
import { removeLeftTemps, replaceFile } from "../shared/replace-file.ts";
import type { DatabaseDigest } from "./database-digests.ts";
import type { RunReport } from "./report.ts";

/** What a process that found nothing to do leaves for the next one. */
export interface IdleNote {
  /** Equal only while everything but databases is as it was before that run; see `IdleScan`. */
  readonly token: string;
  /** All of them, as they were before that run. */
  readonly databases: readonly DatabaseDigest[];
  /** Of that run. */
  readonly report: RunReport;
}

/** Earlier versions left no `databases`. */
const NoteSchema = v.object({
  token: v.string(),
  databases: v.array(v.object({ path: v.string(), state: v.string(), digest: v.string() })),
  report: v.looseObject({}),
});

const pathOf = (stateDir: string): string => join(stateDir, "influxion", "idle.json");

/** What was left; null for nothing, and for what is damaged or of another form. Whoever has none makes a whole run. */
export async function readIdleNote(stateDir: string): Promise<IdleNote | null> {
  try {
    const text = (await readRegular(pathOf(stateDir))).toString("utf8");
    const newline = text.indexOf("\n");
    const json = text.slice(newline + 1);
    if (text.slice(0, newline) !== checksum(json)) return null;
    return v.parse(NoteSchema, JSON.parse(json)) as unknown as IdleNote;
  } catch {
    return null;
  }
}

/** Best effort: without it the next process makes a whole run. */
export async function writeIdleNote(stateDir: string, note: IdleNote): Promise<void> {
  const path = pathOf(stateDir);
  const json = JSON.stringify(note);
  await removeLeftTemps(path);
  await replaceFile(path, `${checksum(json)}\n${json}`).catch(() => undefined);
}

function checksum(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
