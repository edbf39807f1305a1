import plugin from "../../src/index.ts";
import type { Lab } from "./lab.ts";

type Handler = (request: {
  params: unknown;
  respond: (ok: boolean, payload?: unknown, error?: { message: string }) => void;
}) => unknown;

/** A host that the plugin is registered in, with what it is given there. */
export interface PluginHost extends AsyncDisposable {
  readonly said: readonly string[];
  /** Structured lines of the log file. */
  readonly recorded: readonly { message: string; fields: Record<string, unknown> }[];
  readonly scopes: Readonly<Record<string, string | undefined>>;
  /** How many listen to transcript updates. */
  listeners(): number;
  /** A transcript was written to. */
  update(): void;
  hook(name: string): void;
  start(): void;
  stop(): Promise<void>;
  /** Calls a gateway method; what it refuses is null, as for a command. */
  ask(method: string, params: object): Promise<unknown>;
  /** The same, with the reason of a refusal. */
  call(method: string, params: unknown): Promise<{ payload?: unknown; error?: string }>;
}

/**
 * @param config what stands in openclaw.json for the plugin
 * @param childLogger what the host gives for structured lines, instead of what records them
 */
export function pluginHost(lab: Lab, config: object, childLogger?: () => unknown): PluginHost {
  const said: string[] = [];
  const recorded: { message: string; fields: Record<string, unknown> }[] = [];
  const scopes: Record<string, string | undefined> = {};
  const hooks = new Map<string, () => void>();
  const methods = new Map<string, Handler>();
  const listening = new Set<() => void>();
  let service: { start(context: unknown): void; stop(): Promise<void> } | undefined;
  const say = (line: string): unknown => said.push(line);
  plugin.register({
    registrationMode: "full",
    pluginConfig: config,
    registerCli: () => undefined,
    registerService: (registered: NonNullable<typeof service>) => {
      service = registered;
    },
    registerGatewayMethod(name: string, handler: Handler, options?: { scope?: string }) {
      methods.set(name, handler);
      scopes[name] = options?.scope;
    },
    on: (name: string, hook: () => void) => hooks.set(name, hook),
    runtime: {
      events: {
        onSessionTranscriptUpdate(listener: () => void) {
          listening.add(listener);
          return () => listening.delete(listener);
        },
      },
      logging: {
        getChildLogger:
          childLogger ??
          (() => ({
            info: (message: string, fields: Record<string, unknown>) =>
              recorded.push({ message, fields }),
          })),
      },
    },
  } as never);

  const call: PluginHost["call"] = (method, params) =>
    new Promise((resolve) => {
      const respond = (ok: boolean, payload?: unknown, error?: { message: string }): void => {
        // As they come out of a connection.
        const sent = payload === undefined ? undefined : JSON.parse(JSON.stringify(payload));
        resolve(ok ? { payload: sent } : { error: error?.message ?? "" });
      };
      const given = JSON.parse(JSON.stringify(params ?? null));
      void methods.get(method)?.({ params: given, respond });
    });
  const stop = async (): Promise<void> => await service?.stop();
  return {
    said,
    recorded,
    scopes,
    listeners: () => listening.size,
    update: () => {
      for (const listener of listening) listener();
    },
    hook: (name) => hooks.get(name)?.(),
    start: () =>
      service?.start({
        stateDir: lab.stateDir,
        config: lab.hostConfig,
        logger: { info: say, warn: say, error: say },
      }),
    stop,
    ask: async (method, params) => (await call(method, params)).payload ?? null,
    call,
    [Symbol.asyncDispose]: stop,
  };
}
