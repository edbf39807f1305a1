/** How long a command waits for another uploader, in ms. */
export const LOCK_WAIT_MS = 60_000;
