import * as v from "valibot";
import { isObject } from "../shared/json.ts";
import { CONTENT_LEVELS, type ContentLevel, type ContentOptions, saysNoMore } from "./content.ts";
import { noList } from "./object-option.ts";
import { GLOB_FORM, isPattern } from "./pattern-option.ts";
import type { ConfigProblem } from "./problem.ts";
import { choice, flag } from "./values.ts";

const LEVEL_FORM = '"full", "no-tool-output", "text" or "metadata"';

const CONTENT_FORM = `${LEVEL_FORM}, or an object such as {"level": "full", "images": false}`;

export const AGENT_LEVELS_FORM = `an object of agent names and levels, e.g. {"ops": "metadata"}, ${GLOB_FORM}`;

const level = choice(CONTENT_LEVELS, LEVEL_FORM);

/** `content`: a level, or an object with it. */
export const contentOption = v.optional(
  v.pipe(
    v.union([v.string(), noList(CONTENT_FORM)], CONTENT_FORM),
    v.check((value) => typeof value !== "string" || v.is(level, value), CONTENT_FORM),
    v.transform((value) => (typeof value === "string" ? { level: value } : value)),
    v.object({
      level: v.optional(level, "full"),
      images: v.optional(flag(), true),
    }),
  ),
  "full",
);

/** The most that agents' sessions are sent with, by pattern. */
export type AgentLevelOptions = Readonly<Record<string, ContentLevel>>;

/** `filter.agents.content`. Not a record of valibot's: that drops names such as "constructor", which an agent may have. */
export const agentLevelsOption = v.optional(
  v.pipe(
    v.custom<Readonly<Record<string, unknown>>>(isObject, AGENT_LEVELS_FORM),
    v.rawTransform(({ dataset, addIssue }): AgentLevelOptions => {
      const levels = Object.entries(dataset.value).map(([key, value]) => {
        const at = { type: "object", input: dataset.value, key, value } as const;
        const parsed = v.safeParse(level, value);
        if (!isPattern(key.trim())) {
          addIssue({ message: AGENT_LEVELS_FORM, input: key, path: [{ ...at, origin: "key" }] });
        } else if (!parsed.success) {
          addIssue({ message: LEVEL_FORM, input: value, path: [{ ...at, origin: "value" }] });
        }
        return [key, parsed.output] as const;
      });
      return Object.fromEntries(levels) as AgentLevelOptions;
    }),
  ),
  {},
);

/** Levels of agents that would say more than `content` does: they would have no effect, and are no way to say more. */
export function levelProblems({
  content,
  filter,
}: {
  readonly content: ContentOptions;
  readonly filter: { readonly agents: { readonly content: AgentLevelOptions } };
}): ConfigProblem[] {
  const possible = CONTENT_LEVELS.filter((one) => saysNoMore(one, content.level));
  const expected = `${possible.map((one) => `"${one}"`).join(" or ")}, since content is "${content.level}" and an agent can only be sent with less`;
  return Object.entries(filter.agents.content)
    .filter(([, one]) => !saysNoMore(one, content.level))
    .map(([pattern, one]) => ({
      path: `filter.agents.content.${pattern}`,
      found: `"${one}"`,
      expected,
    }));
}
