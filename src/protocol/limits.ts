/** Most source bytes in one part. */
export const MAX_PART_BYTES = 8 * 1024 * 1024;

/** Longest line that is sent, newline included; a longer one becomes an `omitted` record. */
export const MAX_LINE_BYTES = 8 * 1024 * 1024;
