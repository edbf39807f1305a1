import type { Config } from "../config/config.ts";
import { bytes, count } from "../shared/text.ts";

/** What a run is about to send to a destination that has taken nothing yet. Plain data, which crosses threads. */
export interface FirstContact {
  readonly apiUrl: string;
  readonly deploymentId: string;
  readonly projectId: string;
  readonly sessions: number;
  /** Bytes of transcripts, of all that is waiting. */
  readonly bytes: number;
  /** The content levels that sessions go with. */
  readonly content: readonly string[];
  /** Whether credentials are redacted by the built-in rules. */
  readonly redacts: boolean;
}

/** One sentence without its full stop, for log and terminal. */
export function describeFirstContact(contact: FirstContact): string {
  const { apiUrl, deploymentId, projectId, sessions, content, redacts } = contact;
  const what = `${count(sessions, "session")}, ${bytes(contact.bytes)} of transcripts`;
  return `first upload to ${apiUrl}, project ${projectId}, deployment ${deploymentId}: ${what}, ${describeTransform(content, redacts)}`;
}

/** The most that is sent of any session, for terminal and page. */
export function describeSends({
  content,
  redact,
  filter,
}: Pick<Config, "content" | "redact" | "filter">): string {
  const images = content.images ? "" : ", no-images";
  const less = Object.keys(filter.agents.content).length > 0 ? " or less, by agent" : "";
  return describeTransform([`${content.level}${images}${less}`], redact.secrets);
}

/** How much is said of a session, for log and terminal. */
export function describeTransform(content: readonly string[], redacts: boolean): string {
  return `content ${content.join(" and ")}, credentials ${redacts ? "redacted" : "not redacted"}`;
}
