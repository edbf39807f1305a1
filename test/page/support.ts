import { answerTo } from "../../src/page/answer.ts";
import type { PageAnswer, PageInput, Resource } from "../../src/page/request.ts";
import { readLayout } from "../../src/stores/layout.ts";
import { API_KEY, type Lab } from "../support/lab.ts";

/** What the page's thread is asked with, for a lab's receiver unless `overrides` says otherwise. */
export function inputOf(
  lab: Lab,
  resource: Resource,
  query = "",
  overrides: Record<string, unknown> = {},
): PageInput {
  return {
    resource,
    query,
    stateDir: lab.stateDir,
    layout: readLayout(lab.hostConfig),
    config: { ok: true, config: lab.config(overrides), warnings: [] },
    secrets: { apiKey: API_KEY, redactValues: [] },
  };
}

/** An answer as the thread makes it. */
export async function ask(
  lab: Lab,
  resource: Resource,
  query = "",
  overrides: Record<string, unknown> = {},
): Promise<PageAnswer> {
  const { signal } = new AbortController();
  return await answerTo(inputOf(lab, resource, query, overrides), lab.now, signal);
}
