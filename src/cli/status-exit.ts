import { type Headline, type HeadlineKind, isFailing } from "../run/headline.ts";
import type { UploadState } from "../run/state.ts";

/** What `openclaw influxion status` ends with; documented in the README. */
export const STATUS_EXIT = {
  /** All is well, which it also is while something waits for its run, and where the user has switched the interval off. */
  well: 0,
  /** Config, ledger or something else on this machine keeps uploads off. */
  stopped: 1,
  /** Some sessions, stores or deletions are failing. */
  failing: 2,
  /** The API refuses, asks to wait or is not there, or the Gateway does not run. */
  unreachable: 3,
} as const;

const CODES: Readonly<Record<HeadlineKind, number>> = {
  off: STATUS_EXIT.well,
  paused: STATUS_EXIT.well,
  uploading: STATUS_EXIT.well,
  "up-to-date": STATUS_EXIT.well,
  behind: STATUS_EXIT.well,
  stopped: STATUS_EXIT.stopped,
  failing: STATUS_EXIT.failing,
  refused: STATUS_EXIT.unreachable,
  waiting: STATUS_EXIT.unreachable,
  unreachable: STATUS_EXIT.unreachable,
  late: STATUS_EXIT.unreachable,
};

/** What a script is told; an upload that goes on does not hide what fails. */
export function statusExitCode({ kind }: Headline, state: UploadState): number {
  const code = CODES[kind];
  return code === STATUS_EXIT.well && isFailing(state) ? STATUS_EXIT.failing : code;
}
