import * as v from "valibot";
import { isObject } from "../shared/json.ts";

/** Lists are objects to valibot, and have members such as `every` and `filter` of their own. */
export const noList = (expected: string) => v.custom<object>(isObject, expected);

/** An object of these options; other names are dropped, see `unknown-names.ts`. */
export const options = <T extends v.ObjectEntries>(entries: T, expected: string) =>
  v.pipe(noList(expected), v.object(entries, expected));
