import { type Config, type ConfigProblem, formatConfigProblem } from "../../config/config.ts";
import { describeSends } from "../../run/first-contact.ts";
import { skippedOf, type UploadState } from "../../run/state.ts";
import { bytes, count, plain, plainJson } from "../../shared/text.ts";
import { maskKey } from "../status-format.ts";
import type { Terminal } from "../terminal.ts";
import { hang, widthOf } from "../wrap.ts";

/** What was found of the sessions that would go, or why that is not known. */
export type Outlook = Pick<UploadState, "counts" | "hasTaken"> | { readonly why: string };

/** What is known before anything is changed. */
export interface Known {
  readonly outlook: Outlook;
  /** Why a reference cannot be resolved here; null when it can. */
  readonly unknownKey: string | null;
}

/** What would go, how much and to whom: all that there is to know before a yes. */
export function formatOutlook(
  config: Config,
  { outlook, unknownKey }: Known,
  width: number,
): string {
  const { apiUrl, projectId, deploymentId } = config;
  const rows: [string, string][] = [
    ["Target", apiUrl],
    ["Project", projectId],
    ["Deployment", deploymentId],
    ["API key", describeKey(config, unknownKey)],
    ["Sends", describeSends(config)],
    ["To send", describeAmount(outlook)],
    ["Interval", describeInterval(config)],
  ];
  const lines = rows.map(
    ([label, value]) => `${hang(`  ${label.padEnd(12)}`, plain(value), width)}\n`,
  );
  const notes = [PREVIEW, COMMENTS].map((note) => `${hang("", note, width)}\n`);
  return `\nThis is what would be set up:\n\n${lines.join("")}\n${notes.join("")}`;
}

const PREVIEW = "To see every line of it first: openclaw influxion preview";
const COMMENTS =
  "OpenClaw writes its config file anew: comments in it are lost, and what was there before stays beside it as openclaw.json.bak.";

function describeKey({ apiKey }: Config, unknown: string | null): string {
  const key = maskKey(apiKey);
  if (typeof apiKey === "string") return `${key}, kept in OpenClaw's config`;
  if (unknown === null) return key;
  return `${unknown}; nothing is sent until the Gateway finds it, and OpenClaw 2026.7 does not start before`;
}

function describeAmount(outlook: Outlook): string {
  if ("why" in outlook) return `not known: ${outlook.why}`;
  const { counts, hasTaken } = outlook;
  const { pending, pendingBytes } = counts;
  const skipped = skippedOf(counts);
  const left = skipped === 0 ? "" : `; ${count(skipped, "session")} left out by filters`;
  const before = hasTaken ? "; others have been sent there before" : "";
  return `${count(pending, "session")}, ${bytes(pendingBytes)} of transcripts${left}${before}`;
}

function describeInterval({ everyMs, upload }: Config): string {
  if (everyMs > 0) return `every ${upload.every}, as soon as the Gateway has taken it up`;
  return 'off; only "openclaw influxion sync" uploads';
}

export const QUESTION = "Write this to OpenClaw's config?";

/** One line a problem, under what it keeps from being done. */
export function formatProblems(
  title: string,
  problems: readonly ConfigProblem[],
  stream: Terminal["out"],
): string {
  const lines = problems.map(
    (problem) => `${hang("  ", plain(formatConfigProblem(problem)), widthOf(stream), 4)}\n`,
  );
  return `${title}\n${lines.join("")}`;
}

/** The options to paste where they cannot be written, with a key that was typed left out. */
export function formatByHand(options: Record<string, unknown>): string {
  const apiKey = typeof options.apiKey === "string" ? "<your API key>" : options.apiKey;
  const entry = { enabled: true, config: { ...options, apiKey } };
  const document = plainJson({ plugins: { entries: { influxion: entry } } });
  return `Put this into openclaw.json yourself:\n\n${document}\n`;
}
