import * as v from "valibot";

/** A secret the host resolves: from the environment, a file, a command or its own store. */
export interface SecretRef {
  readonly source: "env" | "file" | "exec" | "store";
  readonly provider?: string;
  readonly id: string;
}

export const secretRef = (expected: string) =>
  v.looseObject({
    source: v.picklist(["env", "file", "exec", "store"], expected),
    id: v.pipe(v.string(expected), v.nonEmpty(expected)),
  });
