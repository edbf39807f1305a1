/** A statement that reads one page of rows behind a key, which is its only parameter. */
export interface PageSql {
  readonly sql: string;
  /** What it reads of each row; the first is the key, as a blob. */
  readonly columns: readonly string[];
}

/**
 * The same page as one row: the last key in it (NULL for none), and all that was read. Of each value its type is
 * written in lower case and its bytes in digits and upper case, so that what follows what can be read in one way only.
 */
export function joinedPageSql({ sql, columns: [key = "", ...others] }: PageSql): string {
  const value = (column: string): string => `typeof(${column}) || hex(${column})`;
  const row = [key, ...others].map(value).join(" || ");
  return `SELECT max(${key}) AS last, CAST(group_concat(${row}, '') AS BLOB) AS said FROM (${sql})`;
}
