import * as v from "valibot";
import type { UnknownName } from "./unknown-names.ts";

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

/** A name that no option has, and that has no effect. */
export interface ConfigWarning {
  readonly path: string;
  /** Paths of the options that were probably meant; empty where none is near. */
  readonly nearest: readonly string[];
  /** A sentence for people. */
  readonly message: string;
}

export function toWarning({ path, nearest }: UnknownName): ConfigWarning {
  const meant = nearest.length === 0 ? "" : `; did you mean ${nearest.join(" or ")}?`;
  return { path, nearest, message: `${path} is no option and has no effect${meant}` };
}

/** Of a name that may have been meant to keep something here. */
export function toUnknownProblem({ path, nearest }: UnknownName): ConfigProblem {
  const meant = nearest.length === 0 ? "an option that exists, or nothing" : nearest.join(" or ");
  return {
    path,
    found: "a name that no option has",
    expected: `${meant}; nothing is sent while it may have been meant to keep something here`,
  };
}

/** What valibot found, with what to write instead. */
export function toProblem(issue: v.BaseIssue<unknown>): ConfigProblem {
  const path = v.getDotPath(issue) ?? "";
  return { path, found: describeAt(path, issue.input), expected: issue.message };
}

function describeAt(path: string, value: unknown): string {
  if (path.startsWith("apiKey")) return describeSecret(value);
  if (path === "apiUrl") return describeUrl(value);
  // Somebody may have put the value itself there, or what is in the file.
  if (typeof value === "string" && path.startsWith("redact.values"))
    return "a string that is no such name";
  if (typeof value === "string" && path.startsWith("tls.")) return "a string that is no such path";
  return describe(value);
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
