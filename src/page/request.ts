import type { ConfigResult } from "../config/config.ts";
import type { HostLayout } from "../stores/layout.ts";

/** What can be asked for, by the last part of its address. */
export const RESOURCES = ["overview", "sessions", "history", "preview", "metrics"] as const;
export type Resource = (typeof RESOURCES)[number];

/** What an answer is made from: plain data, which crosses to the thread as it is. */
export interface PageInput {
  readonly resource: Resource;
  /** Of the address, without its question mark. */
  readonly query: string;
  readonly stateDir: string;
  readonly layout: HostLayout | undefined;
  readonly config: ConfigResult;
  /** What must never leave, or why that is not known; null where nothing of a session is shown. */
  readonly secrets: PageSecrets | { readonly problem: string } | null;
}

export interface PageSecrets {
  readonly apiKey: string;
  readonly redactValues: readonly string[];
}

/** An answer, of at most a megabyte. */
export interface PageAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}
