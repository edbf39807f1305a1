import type { LocalConfig } from "../config/config.ts";
import { plural } from "../shared/text.ts";

type Missing = LocalConfig["missing"];

/** What has to be set before anything can be uploaded. */
export function describeMissing(missing: Missing): string {
  return `Not configured yet: ${missing.join(", ")}.`;
}

/** The same, and word for word what an envelope then has. */
export function describePlaceholders(missing: Missing): string {
  const placed = missing.filter((option) => option !== "apiKey");
  if (placed.length === 0) return describeMissing(missing);
  const places = placed.map((option) => `"<${option}>"`).join(" and ");
  const stand = plural(placed.length, "stands", "stand");
  return `Not configured yet: ${missing.join(", ")}; ${places} ${stand} for what is missing.`;
}
