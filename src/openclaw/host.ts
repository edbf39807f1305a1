import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";
import {
  type Config,
  isSendableKey,
  type RedactOptions,
  type SecretRef,
} from "../config/config.ts";
import { InfluxionError } from "../shared/problem.ts";
import type { HostProxy } from "../upload/proxy.ts";

/** Where the host keeps the plugin's config, and what its schema paths are relative to. */
export const CONFIG_PATH = "plugins.entries.influxion.config";

/** The host's config as the plugin sees it. */
export type HostConfig = OpenClawPluginApi["config"];

/** Resolves the secret references of a host config; only newer hosts have it. */
interface SecretRuntime {
  resolveConfiguredSecretInputString(params: {
    config: HostConfig;
    env: NodeJS.ProcessEnv;
    value: unknown;
    path: string;
  }): Promise<{ value?: string; unresolvedRefReason?: string }>;
}

/** What the config only refers to. */
export interface Secrets {
  readonly apiKey: string;
  /** What `redact.values` leads to. */
  readonly redactValues: readonly string[];
  /** Why the API key is not known, where it need not be; it is "" then. */
  readonly unknownKey?: string | undefined;
}

/** Finds what a config only refers to. @param needsKey whether a key that is not found is a failure */
export type SecretsOf = (config: Config, needsKey?: boolean) => Promise<Secrets>;

/** @throws what {@link resolveApiKey} and {@link resolveRedactValues} throw */
export async function resolveSecrets(
  config: Config,
  hostConfig: HostConfig,
  needsKey = true,
): Promise<Secrets> {
  let unknownKey: string | undefined;
  const apiKey = await resolveApiKey(config.apiKey, hostConfig).catch((error: unknown) => {
    if (needsKey || !(error instanceof InfluxionError)) throw error;
    unknownKey = error.message;
    return "";
  });
  const redactValues = await resolveRedactValues(config.redact.values, hostConfig);
  return { apiKey, redactValues, unknownKey };
}

/**
 * The API key itself. In the Gateway the host has resolved it already; a command
 * is given the reference and asks the host.
 *
 * @throws {InfluxionError} `API_KEY_UNRESOLVED` when the reference leads to nothing,
 *   `API_KEY_INVALID` when it leads to something that cannot be sent
 */
export async function resolveApiKey(
  apiKey: string | SecretRef,
  config: HostConfig,
): Promise<string> {
  if (typeof apiKey === "string") return apiKey;
  const reference = `apiKey is a secret reference (${apiKey.source}:${apiKey.id})`;
  const { value = "", unresolvedRefReason } = await resolveReference(apiKey, config, "apiKey");
  // Files and commands end in a line break.
  const key = value.trim();
  if (key === "") {
    const reason = unresolvedRefReason ?? "it is empty";
    throw new InfluxionError(
      "API_KEY_UNRESOLVED",
      `${reference} that could not be resolved: ${reason}`,
    );
  }
  if (isSendableKey(key)) return key;
  throw new InfluxionError(
    "API_KEY_INVALID",
    `${reference} to text with spaces, line breaks or characters that cannot be sent in a header; expected the key alone`,
  );
}

/**
 * What `redact.values` leads to.
 *
 * @throws {InfluxionError} `REDACT_VALUE_UNRESOLVED`: what is not known cannot be kept from leaving
 */
export async function resolveRedactValues(
  values: RedactOptions["values"],
  config: HostConfig,
  env: NodeJS.ProcessEnv = process.env,
): Promise<string[]> {
  return await Promise.all(
    values.map(async (value, index) => {
      const found =
        typeof value === "string"
          ? { value: env[value], unresolvedRefReason: "it is not set here" }
          : await resolveReference(value, config, `redact.values[${index}]`);
      if (found.value !== undefined && found.value.trim() !== "") return found.value;
      // Not its name either: somebody may have put the value itself there.
      const what = typeof value === "string" ? "the name of a variable" : "a secret reference";
      throw new InfluxionError(
        "REDACT_VALUE_UNRESOLVED",
        `redact.values[${index}] is ${what} that leads to nothing: ${found.unresolvedRefReason ?? "it is empty"}; nothing is sent before it can be kept from leaving`,
      );
    }),
  );
}

async function resolveReference(
  value: SecretRef,
  config: HostConfig,
  option: string,
): Promise<{ value?: string; unresolvedRefReason?: string }> {
  try {
    // Not every supported host has this module, so it can neither be imported statically nor typed by one of them.
    const specifier = "openclaw/plugin-sdk/secret-input-runtime";
    const runtime = (await import(specifier)) as SecretRuntime;
    const path = `${CONFIG_PATH}.${option}`;
    return await runtime.resolveConfiguredSecretInputString({
      config,
      env: process.env,
      value,
      path,
    });
  } catch {
    return { unresolvedRefReason: "this OpenClaw cannot resolve it for a command" };
  }
}

/**
 * The proxy that the host is configured with (OpenClaw's docs, "Network proxy"). The
 * Gateway also puts it into its environment; a command does not.
 */
export function hostProxyOf(
  config: HostConfig,
  env: NodeJS.ProcessEnv = process.env,
): HostProxy | undefined {
  const { proxy } = config as {
    proxy?: { enabled?: boolean; proxyUrl?: unknown; tls?: { caFile?: unknown } };
  };
  if (proxy?.enabled === false) return undefined;
  const caFile =
    settingOf(proxy?.tls?.caFile, "proxy.tls.caFile of openclaw.json") ??
    settingOf(env.OPENCLAW_PROXY_CA_FILE, "OPENCLAW_PROXY_CA_FILE");
  const configured = textOf(proxy?.proxyUrl);
  if (configured !== undefined) {
    return { url: configured, source: "proxy.proxyUrl of openclaw.json", caFile };
  }
  const url = textOf(env.OPENCLAW_PROXY_URL);
  return url === undefined ? undefined : { url, source: "OPENCLAW_PROXY_URL", caFile };
}

function settingOf(value: unknown, source: string): HostProxy["caFile"] {
  const path = textOf(value);
  return path === undefined ? undefined : { path, source };
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" && value.trim() !== "" ? value.trim() : undefined;
}
