import type { ConfigResult } from "../config/config.ts";
import type { HostLayout } from "../stores/layout.ts";

/** What the host gives a command to work with. */
export interface Setup {
  readonly stateDir: string;
  /** What the host's config says of agents and of where their sessions are. */
  readonly layout?: HostLayout | undefined;
  readonly config: ConfigResult;
}
