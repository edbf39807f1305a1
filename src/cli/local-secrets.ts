import type { Config } from "../config/config.ts";
import type { Secrets, SecretsOf } from "../openclaw/host.ts";
import { plain } from "../shared/text.ts";
import type { Terminal } from "./terminal.ts";

/**
 * What a command that sends nothing has to find in transcripts. It does without the API key where
 * that is not known, and says so.
 *
 * @throws {InfluxionError} `REDACT_VALUE_UNRESOLVED`, as an upload would
 */
export async function localSecrets(
  secretsOf: SecretsOf,
  config: Config,
  { err }: Terminal,
): Promise<Pick<Secrets, "apiKey" | "redactValues">> {
  const { apiKey, redactValues, unknownKey } = await secretsOf(config, false);
  if (unknownKey !== undefined) {
    err.write(
      `The API key is not looked for, because it is not known here: ${plain(unknownKey)}\n`,
    );
  }
  return { apiKey, redactValues };
}
