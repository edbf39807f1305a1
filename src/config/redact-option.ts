import * as v from "valibot";
import { options } from "./object-option.ts";
import { secretRef } from "./secret-option.ts";
import { flag, listOf } from "./values.ts";

const REDACT_FORM = 'an object such as {"secrets": true, "disable": ["jwt"]}';

const PATTERN_FORM = 'an object such as {"id": "ticket", "pattern": "TICKET-[0-9]{8}"}';

const VALUE_FORM =
  'the name of an environment variable, or a reference such as {"source": "env", "provider": "default", "id": "DB_PASSWORD"}; never the value itself';

const text = (expected: string) => v.pipe(v.string(expected), v.nonEmpty(expected));

/** `redact`: what never leaves, whatever the content level. */
export const redactOption = v.optional(
  options(
    {
      secrets: v.optional(flag(), true),
      disable: listOf(text('the id of a rule, e.g. "jwt"'), 'a list of ids of rules, e.g. ["jwt"]'),
      patterns: listOf(
        options({ id: text(PATTERN_FORM), pattern: text(PATTERN_FORM) }, PATTERN_FORM),
        "a list of patterns",
      ),
      values: listOf(
        v.union(
          [
            v.pipe(v.string(), v.regex(/^[A-Za-z_][A-Za-z0-9_]*$/, VALUE_FORM)),
            secretRef(VALUE_FORM),
          ],
          VALUE_FORM,
        ),
        "a list of names of environment variables and references",
      ),
    },
    REDACT_FORM,
  ),
  {},
);
