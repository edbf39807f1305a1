// Rows may hold other values than the schema promises, and the driver throws away a whole result
// for one number above 2^53. So statements name only what these expressions let through.

/** Largest number that has a successor among the integers that JavaScript counts exactly. */
export const MAX_SEQ = Number.MAX_SAFE_INTEGER - 1;

/** The last millisecond a `Date` knows. */
const MAX_TIME = 8_640_000_000_000_000;

/** More bytes or events than any session has: what is added up stays exact. */
const MAX_COUNT = 2 ** 40;

/** A number of bytes or events, or NULL. */
export function countSql(value: string): string {
  return integerSql(value, MAX_COUNT);
}

/** A sequence number, or NULL. */
export function seqSql(value: string): string {
  return integerSql(value, MAX_SEQ);
}

/** When a session last changed, in ms; 0 when that is not known. */
export function changedAtSql(alias: string): string {
  return `coalesce(${timeSql(rawTimeSql(alias))}, 0)`;
}

/** The same as text, whatever it is: also a value that is no time shows a change. */
export function changedTextSql(alias: string): string {
  return `coalesce(substr(CAST(${rawTimeSql(alias)} AS TEXT), 1, 64), '0')`;
}

/** An instant in ms since the epoch, or NULL. */
export function timeSql(value: string): string {
  return integerSql(value, MAX_TIME);
}

/** Text, or NULL. */
export function textSql(value: string): string {
  return `CASE typeof(${value}) WHEN 'text' THEN ${value} END`;
}

/** The bytes of a text, which need not be UTF-8; 0 where something else stands than a text. */
export type RawText = Uint8Array | 0 | null;

/** A {@link RawText}. */
export function rawTextSql(value: string): string {
  return `CASE typeof(${value}) WHEN 'text' THEN CAST(${value} AS BLOB) WHEN 'null' THEN NULL ELSE 0 END`;
}

/** Whether the session ?1 has numbers that are no sequence numbers. Three seeks, however many there are. */
export const BAD_SEQ_SQL = `
  SELECT EXISTS(SELECT 1 FROM transcript_events WHERE session_id = ?1 AND seq < 0)
      OR EXISTS(SELECT 1 FROM transcript_events WHERE session_id = ?1 AND seq > ${MAX_SEQ})
      OR EXISTS(SELECT 1 FROM transcript_events WHERE session_id = ?1 AND seq IS NULL) AS bad`;

function rawTimeSql(alias: string): string {
  return `coalesce(${alias}.transcript_updated_at, ${alias}.updated_at)`;
}

function integerSql(value: string, max: number): string {
  return `CASE WHEN typeof(${value}) = 'integer' AND ${value} BETWEEN 0 AND ${max} THEN ${value} END`;
}
