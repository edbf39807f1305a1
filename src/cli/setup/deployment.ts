import { hostname } from "node:os";

const MAX_LENGTH = 63;

/** A name for this machine that is good in every address and file name: its own, made safe. */
export function defaultDeployment(host: string = hostname()): string {
  const name = host
    .split(".", 1)[0]
    ?.toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MAX_LENGTH)
    .replace(/^-+|-+$/g, "");
  return name === undefined || name === "" || name === "localhost" ? "my-openclaw" : name;
}
