import { asObject } from "../shared/json.ts";
import { spokenBlocks } from "./blocks.ts";
import { isFlag, isMime } from "./forms.ts";
import { common, given } from "./message-notes.ts";
import { fact, heard, object, own, type Rule, type Shape, textOr } from "./rules.ts";

const fromUser: Shape = {
  ...common,
  runtimeContextCarrier: fact(isFlag),
  MediaType: fact(isMime),
  MediaTypes: fact((value) => Array.isArray(value) && value.every(isMime)),
  MediaPath: own,
  MediaPaths: own,
  MediaUrl: own,
  MediaUrls: own,
};

/** What a person, another agent or a schedule says, and not what a tool has to report. */
const SAYING: ReadonlySet<unknown> = new Set([
  "external_user",
  "realtime_voice",
  "cron",
  "heartbeat",
  "sessions_send",
]);

function isSaid(message: unknown): boolean {
  const { provenance } = asObject(message);
  if (provenance === undefined) return true;
  const { kind, sourceTool } = asObject(provenance);
  return SAYING.has(kind) || SAYING.has(sourceTool);
}

const spoken = object({ ...fromUser, content: textOr(heard, spokenBlocks(heard)) });
const reported = object({ ...fromUser, content: given });

/** A message of role `user`. */
export const user: Rule = (value, level) => (isSaid(value) ? spoken : reported)(value, level);
