/**
 * Forms of values that are sent at every level. Each is narrow enough for no sentence to have
 * it, and for what it lets through to say nothing about a person.
 */
export type Form = (value: unknown) => boolean;

const text =
  (pattern: RegExp): Form =>
  (value) =>
    typeof value === "string" && pattern.test(value);

/** A word of the host's or of an extension's own vocabulary, such as `toolUse` or `openai-responses`. */
export const isName = text(/^[A-Za-z][A-Za-z0-9_.:-]{0,63}$/);

/** The name of a channel; with digits or a colon, it could be that of a chat. */
export const isWord = text(/^[A-Za-z][A-Za-z_-]{0,31}$/);

/** MCP servers put their own name before that of the tool. */
export const isToolName = text(/^[A-Za-z_][A-Za-z0-9_.:/-]{0,127}$/);

/** Such as `accounts/fireworks/models/m` or `m@20260101`; a path on this machine or an address is none. */
export const isModel = text(
  /^@?[A-Za-z0-9][A-Za-z0-9_.:/+-]{0,127}(?:@(?:\d{1,16}|default|latest))?$/,
);

/** Of an entry or of a session. A session's key can name a person's number, which has a `+`. */
export const isId = text(/^[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}$/);

/** Some providers' have two parts. */
export const isCallId = text(/^[A-Za-z0-9][A-Za-z0-9_.:|-]{0,255}$/);

/** For ids that anyone may choose who starts a run. */
export const isUuid = text(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i);

/** Without parameters: one of them can be the name of a file. */
export const isMime = text(
  /^(?:application|audio|font|image|model|multipart|text|video)\/[a-z0-9.+-]{1,100}$/i,
);

const ISO_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?$/;

export const isNumber: Form = (value) => typeof value === "number" && Number.isFinite(value);

/** ISO 8601, or a number of milliseconds. */
export const isTime: Form = (value) => isNumber(value) || text(ISO_TIME)(value);

export const isFlag: Form = (value) => typeof value === "boolean";

export const oneOf =
  (...values: readonly string[]): Form =>
  (value) =>
    typeof value === "string" && values.includes(value);
