import { isAbsolute } from "node:path";
import * as v from "valibot";
import { isObject } from "../shared/json.ts";
import { SESSION_KINDS } from "../shared/session-kind.ts";
import type { ContentOptions } from "./content.ts";
import { agentLevelsOption, contentOption, levelProblems } from "./content-option.ts";
import { parseInterval } from "./interval.ts";
import { noList, options } from "./object-option.ts";
import { GLOB_FORM, globs } from "./pattern-option.ts";
import {
  type ConfigProblem,
  type ConfigWarning,
  describeUrl,
  toProblem,
  toUnknownProblem,
  toWarning,
} from "./problem.ts";
import { redactOption } from "./redact-option.ts";
import { type SecretRef, secretRef } from "./secret-option.ts";
import { isSince } from "./since.ts";
import { findUnknownNames } from "./unknown-names.ts";
import { choice, flag, listOf, text, whole } from "./values.ts";

export { type ConfigProblem, type ConfigWarning, formatConfigProblem } from "./problem.ts";
export type { SecretRef } from "./secret-option.ts";

const LOOPBACK = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])$/i;

const ROOT_FORM = "an object with the plugin's options";

const SINCE_FORM =
  'a date such as "2026-11-27" or "2026-11-27T09:00:00Z", or "install" for what begins after the plugin first ran';

const KINDS_FORM = `a list of kinds of session to leave out, e.g. ["cron"]: ${SESSION_KINDS.map((kind) => JSON.stringify(kind)).join(", ")}`;

const KEY_FORM =
  'your API key as one string without spaces, or {"source": "env", "provider": "default", "id": "INFLUXION_API_KEY"}';

const API_URL_FORM =
  "an https URL without user, query or fragment, e.g. https://api.influxion.io (http only for 127.0.0.1, or with allowInsecureHttp)";

const EVERY_FORM =
  'an interval such as "30s", "5m", "1h", "1d" (at least "1s"), or "0" to switch it off';

const TLS_FORM = 'an object such as {"ca": "/etc/ssl/company-root.pem"}';

const PATH_FORM =
  'the path of a file in PEM, which begins with "/", "~/" or a drive such as "C:\\"';

const path = v.pipe(
  text(PATH_FORM),
  // Nothing at all has been told already.
  v.check((value) => value === "" || isAbsolute(value) || /^~[/\\]/.test(value), PATH_FORM),
);

const isInterval = (value: string | number): boolean => {
  const ms = parseInterval(value);
  return ms !== null && (ms === 0 || ms >= 1000);
};

const isApiUrl = (value: string): boolean => {
  const url = URL.parse(value);
  return (
    url !== null &&
    (url.protocol === "https:" || url.protocol === "http:") &&
    url.username === "" &&
    url.password === "" &&
    // An empty query or fragment, too: what follows it would not be a path.
    !/[?#]/.test(value)
  );
};

const MAX_COUNT = 1_000_000;
const MAX_BYTES = 1024 ** 4;
const HOUR_MS = 3_600_000;

/** Whether a key can stand in a header. */
export function isSendableKey(key: string): boolean {
  return /^[\x21-\x7e]+$/.test(key);
}

/**
 * Every option, its default and its bounds. The manifest's `configSchema` is made
 * from this schema (`npm run manifest`, held by test/config/config.test.ts). Nothing is
 * required here: an unconfigured install is valid, see {@link readConfig}.
 */
export const ConfigSchema = v.object({
  apiKey: v.optional(
    v.union(
      [
        // Every check has a message of its own: valibot's would quote the key. One that the host has
        // resolved may end in the line break of a file.
        v.pipe(v.string(KEY_FORM), v.trim(), v.check(isSendableKey, KEY_FORM)),
        secretRef(KEY_FORM),
      ],
      KEY_FORM,
    ),
  ),
  deploymentId: v.optional(text('a name for this machine or setup, e.g. "my-laptop"')),
  projectId: v.optional(text("the project's id, as Influxion shows it")),
  apiUrl: v.optional(
    v.pipe(v.string(API_URL_FORM), v.trim(), v.check(isApiUrl, API_URL_FORM)),
    "https://api.influxion.io",
  ),
  allowInsecureHttp: v.optional(flag(), false),
  onDelete: v.optional(choice(["keep", "forget"], '"keep" or "forget"'), "keep"),
  content: contentOption,
  redact: redactOption,
  upload: v.optional(
    options(
      {
        every: v.optional(
          v.pipe(v.union([v.string(), v.number()], EVERY_FORM), v.check(isInterval, EVERY_FORM)),
          "15m",
        ),
        onChange: v.optional(flag(), true),
        retryAttempts: v.optional(whole(0, 20, "a whole number from 0 to 20"), 3),
        retryBackoffMs: v.optional(
          whole(0, HOUR_MS, `milliseconds, a whole number from 0 to ${HOUR_MS}`),
          5000,
        ),
        timeoutMs: v.optional(
          whole(100, HOUR_MS, `milliseconds, a whole number from 100 to ${HOUR_MS}`),
          30_000,
        ),
        maxFilesPerRun: v.optional(
          whole(1, MAX_COUNT, `sessions, a whole number from 1 to ${MAX_COUNT}`),
          50,
        ),
        maxBytesPerRun: v.optional(
          whole(1, MAX_BYTES, `bytes, a whole number from 1 to ${MAX_BYTES}`),
          10_485_760,
        ),
        concurrency: v.optional(whole(1, 8, "a whole number from 1 to 8"), 2),
      },
      "an object with the upload options",
    ),
    {},
  ),
  tls: v.optional(
    options(
      {
        ca: v.optional(path),
        cert: v.optional(path),
        key: v.optional(path),
      },
      TLS_FORM,
    ),
    {},
  ),
  filter: v.optional(
    options(
      {
        agents: v.optional(
          options(
            {
              allow: globs(
                `a list of agent names, e.g. ["main", "team-*"], ${GLOB_FORM}; empty means all`,
              ),
              deny: globs(`a list of agent names, e.g. ["scratch", "test-*"], ${GLOB_FORM}`),
              content: agentLevelsOption,
            },
            'an object such as {"allow": [], "deny": []}',
          ),
          {},
        ),
        sessions: v.optional(
          options(
            {
              allow: globs(
                `a list of globs on session ids, keys and labels, e.g. ["work-*"], ${GLOB_FORM}; empty means all`,
              ),
              deny: globs(
                `a list of globs on session ids, keys and labels, e.g. ["tmp-*"], ${GLOB_FORM}`,
              ),
            },
            'an object such as {"allow": [], "deny": ["tmp-*"]}',
          ),
          {},
        ),
        since: v.optional(v.pipe(v.string(SINCE_FORM), v.trim(), v.check(isSince, SINCE_FORM))),
        kinds: listOf(choice(SESSION_KINDS, KINDS_FORM), KINDS_FORM),
        minMessages: v.optional(
          whole(0, MAX_COUNT, `messages, a whole number from 0 to ${MAX_COUNT}`),
          2,
        ),
        minBytes: v.optional(
          whole(0, MAX_BYTES, `bytes, a whole number from 0 to ${MAX_BYTES}`),
          512,
        ),
      },
      "an object with the filter options",
    ),
    {},
  ),
});

export type UploadOptions = v.InferOutput<typeof ConfigSchema>["upload"];
export type RedactOptions = v.InferOutput<typeof ConfigSchema>["redact"];
/** Files for TLS with the API. */
export type TlsOptions = v.InferOutput<typeof ConfigSchema>["tls"];
export type FilterOptions = v.InferOutput<typeof ConfigSchema>["filter"];

/** A config that uploads can start from. */
export interface Config {
  readonly apiKey: string | SecretRef;
  readonly deploymentId: string;
  readonly projectId: string;
  /** Without trailing slash. */
  readonly apiUrl: string;
  readonly allowInsecureHttp: boolean;
  /** What becomes of what the API has of a session that is deleted in OpenClaw. */
  readonly onDelete: "keep" | "forget";
  /** How much of a session is sent, unless its agent is sent with less. */
  readonly content: ContentOptions;
  /** What never leaves, at every level. */
  readonly redact: RedactOptions;
  readonly upload: UploadOptions;
  readonly tls: TlsOptions;
  readonly filter: FilterOptions;
  /** `upload.every` in ms; 0 is off. */
  readonly everyMs: number;
}

export type ConfigResult = {
  /** Names that no option has; those that may have been meant to keep something here are problems instead. */
  readonly warnings: readonly ConfigWarning[];
} & (
  | { readonly ok: true; readonly config: Config }
  | { readonly ok: false; readonly problems: readonly ConfigProblem[] }
);

/** The three lines of config that nothing can be uploaded without. */
const REQUIRED = {
  apiKey: KEY_FORM,
  deploymentId: 'a name for this machine or setup, e.g. "my-laptop"',
  projectId: "the project's id, as Influxion shows it",
} as const;

const MINIMAL = { apiKey: "<your API key>", deploymentId: "my-laptop", projectId: "<project id>" };

/** JSON to paste into openclaw.json for the minimal setup. */
export const MINIMAL_CONFIG = JSON.stringify(
  { plugins: { entries: { influxion: { enabled: true, config: MINIMAL } } } },
  null,
  2,
);

/** Checks what stands under `plugins.entries.influxion.config`; never throws. */
export function readConfig(input: unknown): ConfigResult {
  const given = input ?? {};
  const unknown = findUnknownNames(ConfigSchema, given);
  const warnings = unknown.filter((name) => !name.isPrivate).map(toWarning);
  const parsed = v.safeParse(v.pipe(noList(ROOT_FORM), ConfigSchema), given);
  const problems = unknown.filter((name) => name.isPrivate).map(toUnknownProblem);
  if (!parsed.success) problems.push(...parsed.issues.map(toProblem));
  for (const [path, expected] of Object.entries(REQUIRED)) {
    if (isObject(given) && given[path] === undefined) {
      problems.push({ path, found: "nothing", expected });
    }
  }
  if (parsed.success)
    problems.push(...levelProblems(parsed.output), ...pairProblems(parsed.output));
  if (!parsed.success || problems.length > 0) return { ok: false, problems, warnings };

  const { apiKey, deploymentId, projectId, apiUrl, ...rest } = parsed.output;
  if (!rest.allowInsecureHttp && !isSafeUrl(apiUrl)) {
    const found = describeUrl(apiUrl);
    const expected =
      'an https URL; or, when everyone on the way may read the key and the conversations, also "allowInsecureHttp": true';
    return { ok: false, problems: [{ path: "apiUrl", found, expected }], warnings };
  }
  const config: Config = {
    ...rest,
    apiKey: apiKey as string | SecretRef,
    deploymentId: deploymentId as string,
    projectId: projectId as string,
    // One form for all spellings: it is part of what distinguishes one destination from another.
    apiUrl: new URL(apiUrl).href.replace(/\/+$/, ""),
    everyMs: parseInterval(rest.upload.every) ?? 0,
  };
  return { ok: true, config, warnings };
}

/** A certificate is shown with the key to it, or not at all. */
function pairProblems({ tls: { cert, key } }: Pick<Config, "tls">): ConfigProblem[] {
  if ((cert === undefined) === (key === undefined)) return [];
  const [path, other] = cert === undefined ? ["tls.cert", "tls.key"] : ["tls.key", "tls.cert"];
  const expected = `${PATH_FORM}, since ${other} is set and needs it`;
  return [{ path, found: "no file", expected }];
}

/** Stand for what only an upload needs; nothing looks for this key. */
const PLACEHOLDERS: Readonly<Record<keyof typeof REQUIRED, string>> = {
  apiKey: "-",
  deploymentId: "<deploymentId>",
  projectId: "<projectId>",
};

/** A config to look at transcripts with, on this machine. */
export interface LocalConfig {
  readonly config: ConfigResult;
  /** Options that have to be set before anything can be uploaded, and have placeholders in `config`. */
  readonly missing: readonly (keyof typeof REQUIRED)[];
}

/** The same, but that what only an upload needs may be missing. The key is "" then. */
export function readLocalConfig(input: unknown): LocalConfig {
  const given = input ?? {};
  if (!isObject(given)) return { config: readConfig(input), missing: [] };
  const missing = (["apiKey", "deploymentId", "projectId"] as const).filter(
    (path) => given[path] === undefined,
  );
  const filled = Object.fromEntries(missing.map((path) => [path, PLACEHOLDERS[path]]));
  const result = readConfig({ ...given, ...filled });
  if (!result.ok || !missing.includes("apiKey")) return { config: result, missing };
  return { config: { ...result, config: { ...result.config, apiKey: "" } }, missing };
}

/** Whether `url` points at this machine. */
export function isLoopbackUrl(url: string): boolean {
  return LOOPBACK.test(URL.parse(url)?.hostname ?? "");
}

function isSafeUrl(url: string): boolean {
  return URL.parse(url)?.protocol === "https:" || isLoopbackUrl(url);
}
