import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { toJsonSchema } from "@valibot/to-json-schema";
import { ConfigSchema } from "../src/config/config.ts";
import { CONTENT_LEVELS } from "../src/config/content.ts";

export type Schema = Record<string, unknown> & {
  type?: string | readonly string[];
  title?: string;
  default?: unknown;
  enum?: readonly unknown[];
  properties?: Record<string, Schema>;
  anyOf?: readonly Schema[];
  items?: Schema;
  pattern?: string;
};

const PATH = new URL("../openclaw.plugin.json", import.meta.url);

/** Titles of the groups. They have no `uiHints`: the host's wizard takes each of these for a value. */
const TITLES: Readonly<Record<string, string>> = {
  content: "Content",
  redact: "Redaction",
  upload: "Upload",
  tls: "Certificates",
  filter: "Filter",
  "filter.agents": "Agents",
  "filter.sessions": "Sessions",
};

/** Groups that may be written as text, which stands for one of their options. */
const SHORT = new Set(["content"]);

/** Groups whose members have names of the user's, with the values that these have. */
const MAPS: Readonly<Record<string, readonly string[]>> = {
  "filter.agents.content": CONTENT_LEVELS,
};

/**
 * What the host makes forms of, and what it holds a config against. Where a value does not match,
 * `openclaw gateway run` ends with exit code 78 without naming the option, every command fails, and
 * `openclaw doctor --fix` puts the whole config aside, with the key in it (tried with 2026.9.6). So a
 * mistake must not get that far: it costs the uploads, and the plugin says which option it is.
 *
 * - Names: `additionalProperties` is left out, so that any are allowed. `true` would mean the same,
 *   and put an editor for "Custom entries" into each group.
 * - A value is its natural form, or anything ({@link preferred}). The forms of the Control UI (2026.9.6
 *   and 2026.7.35) pass over an alternative that may be null, and so show a number, a switch or a choice
 *   with its bounds; where one does not, it shows a text field. The host lets everything through.
 * - Lists and groups are only what they are. Forms show a list that is written as text as an empty one,
 *   and saving it would drop what was denied; and the wizard would write it as text.
 */
export function manifestSchema(): Schema {
  const schema = toJsonSchema(ConfigSchema, {
    errorMode: "ignore",
    // What a reader that takes text for a number makes of it, and not what it takes.
    typeMode: "output",
    overrideSchema: ({ valibotSchema }) =>
      valibotSchema.type === "custom" ? { type: "object" } : undefined,
  }) as unknown as Schema;
  return formOf(schema, "");
}

const ANYTHING: Schema = { type: ["null", "string", "number", "boolean", "array", "object"] };

/** A blank item means nothing. With this, forms ask for it before they add it. */
const NOT_BLANK = "\\S";

function formOf(schema: Schema, path: string): Schema {
  const names = MAPS[path];
  if (names !== undefined)
    return withDefault({ type: "object", additionalProperties: word(names) }, schema);
  if (schema.properties !== undefined) return groupOf(schema.properties, path);
  if (schema.type === "array") {
    return withDefault({ type: "array", items: itemOf(schema.items ?? {}) }, schema);
  }
  const types = typesOf(schema);
  // A secret is text or a reference. Forms mask it where they find exactly this.
  if (types.includes("object")) return { type: ["string", "object"] };
  return preferred(naturalOf(schema, path), schema);
}

function groupOf(members: Record<string, Schema>, path: string): Schema {
  const title = TITLES[path];
  const group: Schema = {
    type: "object",
    ...(title === undefined ? {} : { title }),
    properties: Object.fromEntries(
      Object.entries(members).map(([name, option]) => [
        name,
        formOf(option, path === "" ? name : `${path}.${name}`),
      ]),
    ),
  };
  return SHORT.has(path) ? { anyOf: [group, { type: ["null", "string"] }] } : group;
}

function itemOf(item: Schema): Schema {
  if (item.properties !== undefined) {
    const members = Object.keys(item.properties).map((name) => [name, { type: "string" }]);
    return { type: "object", properties: Object.fromEntries(members) };
  }
  if (item.enum !== undefined) return word(item.enum);
  const type = typesOf(item).includes("object") ? ["string", "object"] : "string";
  return { type, pattern: NOT_BLANK };
}

/** A value of its natural form, or anything else. */
function preferred(natural: Schema, { default: value }: Schema): Schema {
  return withDefault({ anyOf: [natural, ANYTHING] }, { default: value });
}

/** The same of an item or a member, which forms add as text. */
const word = (words: readonly unknown[]): Schema => ({
  type: "string",
  pattern: NOT_BLANK,
  anyOf: [choice(words), { type: ["null", "string"] }],
});

/** Alternatives that are choices are only shown as such when they are nested. */
const choice = (words: readonly unknown[], more: Schema = {}): Schema => ({
  type: "string",
  anyOf: [{ enum: words, ...more }],
});

function naturalOf(schema: Schema, path: string): Schema {
  if (schema.enum !== undefined) {
    // Where the group is written as text, forms would show the default of a member as what is chosen.
    const isShort = SHORT.has(path.slice(0, path.lastIndexOf(".")));
    return choice(schema.enum, isShort ? {} : withDefault({}, schema));
  }
  const { type, minimum, maximum } = schema;
  const bounds = {
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  };
  return withDefault({ type: type ?? "string", ...bounds }, schema);
}

const typesOf = ({ type, anyOf = [] }: Schema): readonly unknown[] => [
  type,
  ...anyOf.map((one) => one.type),
];

/** The host fills it in below a group that is there. */
function withDefault(schema: Schema, { default: value }: Schema): Schema {
  return value === undefined ? schema : { ...schema, default: value };
}

if (argv[2] === "--write") {
  const manifest = JSON.parse(readFileSync(PATH, "utf8"));
  manifest.configSchema = manifestSchema();
  writeFileSync(PATH, `${JSON.stringify(manifest, null, 2)}\n`);
}
