import type { HostConfig } from "./host.ts";
import type { Recorder } from "./record-run.ts";

/** What the Gateway gives a service; the optional parts exist on newer hosts only. */
export interface GatewayContext {
  readonly stateDir: string;
  readonly config: HostConfig;
  readonly logger: { info(line: string): void; warn(line: string): void };
  readonly serviceHealth?: {
    reportFailure(error: unknown): void;
    clearFailure(): void;
  };
  readonly record?: Recorder | undefined;
}
