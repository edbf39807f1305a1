import * as v from "valibot";

const NO_URL = "a string that is no http or https URL";

/** One thing that is wrong with a config. */
export interface ConfigProblem {
  /** Dotted path below `plugins.entries.influxion.config`, e.g. `upload.every`. */
  readonly path: string;
  /** What is there now, never a secret. */
  readonly found: string;
  /** What to write instead. */
  readonly expected: string;
}

/** One line a problem, ready for a log or a terminal. The host's log redacts what follows `apiKey:`. */
export function formatConfigProblem({ path, found, expected }: ConfigProblem): string {
  const field = path === "" ? "config" : path;
  return `found ${found} at ${field}; expected ${expected}`;
}

/** What valibot found, with what to write instead. */
export function toProblem(issue: v.BaseIssue<unknown>): ConfigProblem {
  const path = v.getDotPath(issue) ?? "";
  if (issue.type === "strict_object" && issue.expected === "never") {
    return {
      path,
      found: "an option that does not exist",
      expected: "nothing here; check the spelling or remove it",
    };
  }
  return { path, found: describeAt(path, issue.input), expected: issue.message };
}

function describeAt(path: string, value: unknown): string {
  if (path.startsWith("apiKey")) return describeSecret(value);
  if (path === "apiUrl") return describeUrl(value);
  // Somebody may have put the value itself there.
  const isSecret = path.startsWith("redact.values") && typeof value === "string";
  return isSecret ? "a string that is no such name" : describe(value);
}

/** Where a URL leads, and nothing else of it: a key may have been put there, or into another place of it. */
export function describeUrl(value: unknown): string {
  if (typeof value !== "string") return describe(value);
  const url = URL.parse(value);
  if (url === null || !/^https?:$/.test(url.protocol)) return NO_URL;
  return JSON.stringify(`${url.protocol}//${url.host}/…`);
}

/** Never the inside of an object or list, nor the credentials of a URL: a key may have been put in the wrong place. */
function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object" && value !== null) return "an object";
  const url = typeof value === "string" ? URL.parse(value) : null;
  const shown = url === null || url.host === "" ? value : `${url.protocol}//${url.host}/…`;
  const json = JSON.stringify(shown) ?? String(shown);
  return json.length > 60 ? `${json.slice(0, 57)}...` : json;
}

function describeSecret(value: unknown): string {
  if (typeof value !== "string")
    return Array.isArray(value) ? "a list" : `a value of type ${typeof value}`;
  if (value === "") return "an empty string";
  return "a string with spaces, line breaks or characters that cannot be sent in a header";
}
