/** What a line says again and again that is made to be slow to search for credentials. */
export const SLOW_TEXTS = [
  "password=",
  "xoxb-",
  "\\u0070",
  "password=hunter22 ",
  "Cookie: a=",
] as const;
