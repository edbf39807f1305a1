import { readFileSync } from "node:fs";
import type { ContentOptions } from "../../src/config/content.ts";
import { type ContentFilter, createContentFilter } from "../../src/content/filter.ts";

const HOSTS = ["2026.7.35", "2026.9.6"];

/** Entries as real hosts wrote them, each as its line. */
export const realLines = (): string[] =>
  HOSTS.flatMap((host) =>
    readFileSync(new URL(`../fixtures/openclaw-${host}.jsonl`, import.meta.url), "utf8")
      .trim()
      .split("\n"),
  );

export const realEntries = (): unknown[] => realLines().map((line) => JSON.parse(line) as unknown);

export function filterOf(options: Partial<ContentOptions>): ContentFilter {
  const filter = createContentFilter({ level: "full", images: true, ...options });
  if (filter === null) throw new Error("nothing is left out with these options");
  return filter;
}

/** Every text in a value of JSON, without the names of members. */
export function textsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return typeof value === "object" && value !== null ? Object.values(value).flatMap(textsIn) : [];
}

/** JSON in a binary string, as lines travel to the envelope. */
export const binary = (text: string): string => Buffer.from(text).toString("latin1");

export const decoded = (payload: string): string => Buffer.from(payload, "latin1").toString();
