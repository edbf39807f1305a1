import { readFileSync, writeFileSync } from "node:fs";
import { argv } from "node:process";
import { toJsonSchema } from "@valibot/to-json-schema";
import { ConfigSchema } from "../src/config/config.ts";

type Schema = Record<string, unknown> & {
  type?: string;
  properties?: Record<string, Schema>;
  anyOf?: Schema[];
  items?: Schema;
};

const PATH = new URL("../openclaw.plugin.json", import.meta.url);

/** JSON types by how the host's settings form should show an option; the natural one comes first. */
const TYPES = ["string", "number", "boolean", "object", "array", "null"] as const;

/**
 * OpenClaw refuses to start a Gateway whose plugin config does not match the
 * manifest. So the manifest lists the options and their natural types, but lets
 * every value through: what is wrong with one is said by the plugin, with uploads
 * off and the Gateway running. Only an option that does not exist is refused by
 * the host itself.
 */
export function manifestSchema(): Schema {
  const schema = toJsonSchema(ConfigSchema, {
    errorMode: "ignore",
    typeMode: "output",
    // The one option whose members have names of the user's.
    overrideSchema: ({ valibotSchema }) =>
      valibotSchema.type === "custom" ? { type: "object" } : undefined,
  }) as Schema;
  return { ...loosen(schema, true), additionalProperties: false };
}

function loosen(schema: Schema, isRoot = false): Schema {
  const natural = schema.type ?? schema.anyOf?.[0]?.type ?? "string";
  const type = natural === "integer" ? "number" : natural;
  const loose: Schema = {
    ...(isRoot
      ? { type: "object" }
      : { type: [type, ...TYPES.filter((other) => other !== type)] as unknown as string }),
  };
  if (schema.properties !== undefined) {
    loose.properties = Object.fromEntries(
      Object.entries(schema.properties).map(([name, option]) => [name, loosen(option)]),
    );
    loose.additionalProperties = false;
  }
  // The host fills defaults in below objects that are there; objects themselves are left to the plugin.
  if (schema.default !== undefined && schema.properties === undefined)
    loose.default = schema.default;
  return loose;
}

if (argv[2] === "--write") {
  const manifest = JSON.parse(readFileSync(PATH, "utf8"));
  manifest.configSchema = manifestSchema();
  writeFileSync(PATH, `${JSON.stringify(manifest, null, 2)}\n`);
}
