import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Names, contents and times of everything below a folder. */
export function snapshot(dir: string): string {
  return readdirSync(dir, { recursive: true, encoding: "utf8" })
    .sort()
    .map((name) => {
      const stats = statSync(join(dir, name));
      const content = stats.isFile() ? readFileSync(join(dir, name), "base64") : "";
      return `${name} ${stats.mtimeMs} ${content}`;
    })
    .join("\n");
}
