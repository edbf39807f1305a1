import { createHook } from "node:async_hooks";

/** Sockets and name look-ups that are begun while `work` runs. */
export async function networkUse(work: () => Promise<unknown>): Promise<string[]> {
  const used: string[] = [];
  const hook = createHook({
    init(_id, type) {
      if (/^(TCP|TLS|UDP|GETADDRINFO)/.test(type)) used.push(type);
    },
  }).enable();
  try {
    await work();
  } finally {
    hook.disable();
  }
  return used;
}
