/** Word for word those of the README. */
export const EXIT_CODES = `
Exit codes:
  0    all done
  1    usage or config error, a ledger that cannot be used, or an unexpected failure
  2    some sessions failed, or the run was aborted; what was sent before counts
  3    refused, unreachable or paused, or another process is uploading
  4    scan found credentials
  130  interrupted
`;
