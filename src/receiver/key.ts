import { randomBytes } from "node:crypto";
import { isSendableKey } from "../config/config.ts";
import { NotAFileError, openRegular } from "../shared/open-file.ts";
import { errnoOf, InfluxionError } from "../shared/problem.ts";
import { replaceFile } from "../shared/replace-file.ts";
import { makePrivateFile } from "./files/private.ts";

/** Environment variable for the key that clients must show. */
export const KEY_VARIABLE = "INFLUXION_RECEIVER_KEY";

/** A longer file holds something else. */
const MAX_BYTES = 4096;

/**
 * The key that is kept in the file `path`; when there is none, a random one is made and
 * kept. To be called by one process at a time.
 *
 * @throws {InfluxionError} `RECEIVER_KEY_UNUSABLE`
 */
export async function keptKey(path: string): Promise<string> {
  try {
    return await readKey(path);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw unusable(path, error);
  }
  const key = randomBytes(24).toString("base64url");
  try {
    await replaceFile(path, `${key}\n`);
  } catch (error) {
    throw unusable(path, error);
  }
  return key;
}

async function readKey(path: string): Promise<string> {
  const { file } = await openRegular(path);
  try {
    await makePrivateFile(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_BYTES), 0, MAX_BYTES, 0);
    const key = buffer.toString("latin1", 0, bytesRead).trim();
    if (bytesRead < MAX_BYTES && isSendableKey(key)) return key;
    throw new Error("it is not one line of ASCII characters without spaces");
  } finally {
    await file.close();
  }
}

function unusable(path: string, error: unknown): InfluxionError {
  return new InfluxionError(
    "RECEIVER_KEY_UNUSABLE",
    `${path} cannot hold the receiver's key (${reasonOf(error)}); delete it, and a new one is made, or set ${KEY_VARIABLE}`,
    { cause: error },
  );
}

function reasonOf(error: unknown): string {
  if (error instanceof NotAFileError) return "it is not a regular file";
  return errnoOf(error) || (error instanceof Error ? error.message : String(error));
}
