import type { Rule } from "../rule.ts";
import { AI } from "./ai.ts";
import { authorization } from "./authorization.ts";
import { basicAuth } from "./basic-auth.ts";
import { CLOUD } from "./cloud.ts";
import { CODE } from "./code.ts";
import { commandPassword } from "./command-password.ts";
import { cookie } from "./cookie.ts";
import { curlUser } from "./curl-user.ts";
import { jwt } from "./jwt.ts";
import { MESSAGING } from "./messaging.ts";
import { namedSecret, password } from "./named.ts";
import { PAYMENT } from "./payment.ts";
import { encodedKey, privateKey, puttyKey } from "./private-key.ts";
import { SAAS } from "./saas.ts";
import { tokenRule } from "./token.ts";
import { urlPassword } from "./url-password.ts";

/** Every rule that is built in. An id never changes its meaning: it is in configs and in what was sent. */
export const RULES: readonly Rule[] = [
  ...[AI, CLOUD, CODE, MESSAGING, PAYMENT, SAAS].flat().map((form) => tokenRule(form)),
  privateKey,
  encodedKey,
  puttyKey,
  jwt,
  urlPassword,
  authorization,
  basicAuth,
  curlUser,
  commandPassword,
  cookie,
  password,
  namedSecret,
];
