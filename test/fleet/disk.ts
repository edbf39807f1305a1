import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";

/** Bytes of all files in folders in which others write and remove meanwhile. */
export function bytesIn(...dirs: readonly string[]): number {
  let bytes = 0;
  for (const dir of dirs) {
    for (const entry of entriesOf(dir)) {
      const path = join(dir, entry.name);
      if (entry.isDirectory()) bytes += bytesIn(path);
      else bytes += statSync(path, { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return bytes;
}

function entriesOf(dir: string) {
  try {
    return readdirSync(dir, { withFileTypes: true });
  } catch {
    // It was removed a moment ago.
    return [];
  }
}
