/** What the host calls its Gateway with; every host that can run a service has it, but not every one in one place. */
interface GatewayRuntime {
  callGatewayFromCli(
    method: string,
    options: { timeout: string; json: boolean },
    params: unknown,
    extra: { progress: boolean; signal?: AbortSignal },
  ): Promise<unknown>;
}

export interface AskOptions {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * What the Gateway answers to a method, or null: there is none, it does not answer in time, it
 * refuses, or the host is too old. For commands, which do without it then.
 */
export async function askGateway(
  method: string,
  params: unknown,
  { timeoutMs, signal }: AskOptions,
): Promise<unknown> {
  try {
    // Not every supported host has this module, so it can neither be imported statically nor typed by one of them.
    const specifier = "openclaw/plugin-sdk/gateway-runtime";
    const runtime = (await import(specifier)) as GatewayRuntime;
    const answer = await runtime.callGatewayFromCli(
      method,
      { timeout: String(timeoutMs), json: true },
      params,
      { progress: false, ...(signal === undefined ? {} : { signal }) },
    );
    return answer ?? null;
  } catch {
    return null;
  }
}
