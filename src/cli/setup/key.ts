import { isSendableKey, type SecretRef } from "../../config/config.ts";
import { InfluxionError } from "../../shared/problem.ts";

/** How a key, or a reference to one, is given without a question. */
export interface KeyFlags {
  readonly apiKeyStdin?: boolean;
  readonly apiKeyEnv?: string;
  /** As `openclaw config set` has them. */
  readonly refSource?: string;
  readonly refProvider?: string;
  readonly refId?: string;
}

/** What names the variable in most setups, so that it is offered. */
export const KEY_VARIABLE = "INFLUXION_API_KEY";

const SOURCES = ["env", "file", "exec", "store"] as const;

/** Names that OpenClaw takes for a variable of a reference. */
const VARIABLE = /^[A-Z][A-Z0-9_]{0,127}$/;

/**
 * What the flags say of the key; undefined when they say nothing.
 * @param readInput all of stdin
 * @throws {InfluxionError} `SETUP_INCOMPLETE`, `API_KEY_INVALID`
 */
export async function keyOfFlags(
  flags: KeyFlags,
  readInput: () => Promise<string>,
): Promise<string | SecretRef | undefined> {
  const { apiKeyStdin, apiKeyEnv, refSource, refProvider, refId } = flags;
  const isReference = (refSource ?? refProvider ?? refId) !== undefined;
  const ways = [apiKeyStdin === true, apiKeyEnv !== undefined, isReference];
  if (ways.filter(Boolean).length > 1) {
    throw new InfluxionError(
      "SETUP_INCOMPLETE",
      "give the key in one way: --api-key-stdin, --api-key-env <name>, or --ref-source with --ref-id",
    );
  }
  if (apiKeyStdin === true) return keyOfInput(await readInput());
  if (apiKeyEnv !== undefined) return variable(apiKeyEnv);
  return isReference ? reference(flags) : undefined;
}

/** What was typed: a key, or `$NAME` for a variable. Null for what is neither. */
export function keyOfAnswer(answer: string): string | SecretRef | null {
  const [, name] = /^\$\{?(\w+)\}?$/.exec(answer) ?? [];
  if (name !== undefined) return VARIABLE.test(name) ? variable(name) : null;
  return isSendableKey(answer) ? answer : null;
}

function keyOfInput(input: string): string {
  const key = input.trim();
  if (isSendableKey(key)) return key;
  const found = key === "" ? "nothing" : "text with spaces, line breaks or other such characters";
  throw new InfluxionError("API_KEY_INVALID", `stdin held ${found}; expected the API key alone`);
}

/** @throws {InfluxionError} `SETUP_INCOMPLETE` */
export function variable(id: string): SecretRef {
  if (VARIABLE.test(id)) return { source: "env", provider: "default", id };
  throw new InfluxionError(
    "SETUP_INCOMPLETE",
    `--api-key-env wants the name of an environment variable, such as ${KEY_VARIABLE}, in capital letters; a key does not belong into the command line`,
  );
}

function reference({ refSource, refProvider = "default", refId }: KeyFlags): SecretRef {
  const source = SOURCES.find((one) => one === refSource);
  if (source !== undefined && refId !== undefined && refId !== "") {
    return { source, provider: refProvider, id: refId };
  }
  const message = `a reference wants --ref-source (${SOURCES.join(", ")}) and --ref-id, as "openclaw config set" does`;
  throw new InfluxionError("SETUP_INCOMPLETE", message);
}
