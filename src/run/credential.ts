import { createHash } from "node:crypto";

/** Shows whether a key has changed without keeping it. */
export function credentialOf(apiKey: string): string {
  return createHash("sha256")
    .update("influxion credential\0")
    .update(apiKey)
    .digest("hex")
    .slice(0, 16);
}
