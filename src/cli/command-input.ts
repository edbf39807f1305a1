import type { ConfigResult, LocalConfig } from "../config/config.ts";
import type { SecretsOf } from "../openclaw/host.ts";
import type { RunContext } from "../run/options.ts";
import type { HostLayout } from "../stores/layout.ts";
import type { Terminal } from "./terminal.ts";

/** What the host gives a command to work with. */
export interface Setup {
  readonly stateDir: string;
  /** What the host's config says of agents and of where their sessions are. */
  readonly layout?: HostLayout | undefined;
  readonly config: ConfigResult;
}

/** What a command works with that reads transcripts and sends nothing, so that it needs no whole config. */
export interface LocalCommand<Flags> {
  readonly setup: Setup & Pick<LocalConfig, "missing">;
  readonly flags: Flags;
  readonly context: Pick<RunContext, "signal" | "now">;
  readonly secrets: SecretsOf;
  readonly terminal: Terminal;
}
