/** A topic of a chat has a file of its own: `<id>-topic-<topic>.jsonl`. Both may have this in them. */
const TOPIC = "-topic-";

/** A successor that a compaction began: `<time>_<id>.jsonl`. */
const SUCCESSOR = /^\d{4}-\d{2}-\d{2}T\d{2}-\d{2}-\d{2}-\d{3}Z_(.+)$/s;

/** All that the session in `<stem>.jsonl` may have as its id; the first is the stem. */
export function idsOfStem(stem: string): string[] {
  const ids = [stem];
  for (let at = stem.indexOf(TOPIC, 1); at !== -1; at = stem.indexOf(TOPIC, at + 1)) {
    ids.push(stem.slice(0, at));
  }
  return [...new Set(ids.flatMap((id) => [id, SUCCESSOR.exec(id)?.[1] ?? id]))];
}
