/** What a name says of the value that is assigned to it. */
export type NameKind = "password" | "secret" | "key" | null;

const PASSWORDS = new Set("password passwd passphrase pwd pass passcode passwort".split(" "));
const PASSWORD_END = /(?:password|passwd|passphrase|pwd)$/;

const SECRETS = new Set("secret secrets token credential credentials apikey authtoken".split(" "));
const SECRET_END = /(?:secret|token|apikey|accesskey|secretkey|privatekey)$/;

/** In front of `key`, they make it a secret. */
const SECRET_KEYS = new Set(
  (
    "api access secret private auth authentication signing signature encryption encrypt decryption account master shared " +
    "service client webhook license subscription storage deploy deployment admin root app application " +
    "rest write ingest ingestion integration project team bot hmac jwt crypto cipher consumer"
  ).split(" "),
);

/** In front of `key`, they make it something that may be seen by all. */
const OPEN_KEYS = new Set(
  (
    "public primary foreign cache partition sort row idempotency session object translation hash group map " +
    "registry lookup unique i18n locale query item list react test column index sorting routing dedupe hot short " +
    "publishable anon site websocket run entry record event field parent child store data shift arrow meta job lock dict key"
  ).split(" "),
);

/** In front of `token`, they make it something that opens nothing. */
const OPEN_TOKENS = new Set(
  (
    "page next continuation sync cursor cancel cancellation csrf xsrf start end total max min public eos bos pad unk mask sep cls " +
    "input output prompt completion cached first last current previous special stop punctuator pagination resume"
  ).split(" "),
);

/** What may follow the word that counts: `SECRET_KEY_BASE`, `token_value`, `password2`. */
const TRAILERS = new Set("value base string text raw env".split(" "));

/** The words of a name in snake, kebab or camel case, in lower case. */
export function wordsOf(name: string): string[] {
  return name
    .replace(/([a-z0-9])([A-Z])/g, "$1 $2")
    .replace(/([A-Z])([A-Z][a-z])/g, "$1 $2")
    .toLowerCase()
    .split(/[^a-z0-9]+/)
    .map((word) => word.replace(/[0-9]+$/, ""))
    .filter((word) => word !== "");
}

export function kindOf(name: string): NameKind {
  const words = wordsOf(name);
  while (words.length > 1 && TRAILERS.has(words.at(-1) ?? "")) words.pop();
  const last = words.at(-1) ?? "";
  const before = words.at(-2) ?? "";
  if (PASSWORDS.has(last) || PASSWORD_END.test(last)) return "password";
  if (last === "key" || last === "keys") {
    if (words.includes("public") || OPEN_KEYS.has(before)) return null;
    return SECRET_KEYS.has(before) || words.includes("secret") ? "secret" : "key";
  }
  if (last === "token" || last === "tokens") return OPEN_TOKENS.has(before) ? null : "secret";
  return SECRETS.has(last) || SECRET_END.test(last) ? "secret" : null;
}
