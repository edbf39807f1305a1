/** Characters that are shown of a secret at most, at its beginning and its end. */
const HEAD = 4;
const TAIL = 2;

/**
 * What is shown of a secret so that its owner knows it again: never more than a quarter of it, and
 * nothing of one that is short enough to be guessed from that. It may hold any characters.
 */
export function mask(secret: string): string {
  const characters = [...secret];
  const head = Math.min(HEAD, Math.floor(characters.length / 6));
  const tail = Math.min(TAIL, Math.floor(characters.length / 12));
  return `${characters.slice(0, head).join("")}…${characters.slice(characters.length - tail).join("")}`;
}
