/** How long a run that a user asked for waits for another uploader, in ms. */
export const LOCK_WAIT_MS = 60_000;
