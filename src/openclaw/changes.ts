import type { OpenClawPluginApi } from "openclaw/plugin-sdk/plugin-entry";

/**
 * Where the host says that transcripts have changed, as far as it does. Hooks can be added only
 * while the plugin is registered, so theirs is there at once and does nothing before the service
 * listens; transcript updates are listened to as long as the service does.
 *
 * The listener runs inside of the host's own work, so it must not throw and cost next to nothing.
 */
export class Changes {
  readonly #api: Pick<OpenClawPluginApi, "runtime">;
  #listener: (() => void) | null = null;
  #unsubscribe: (() => void) | undefined;

  constructor(api: Pick<OpenClawPluginApi, "on" | "runtime">) {
    this.#api = api;
    try {
      // A reset or a deletion need not be followed by anything that is written down.
      api.on("session_end", () => this.#listener?.());
    } catch {
      // A host without the hook; the interval remains.
    }
  }

  listen(listener: () => void): void {
    this.stop();
    this.#listener = listener;
    try {
      const unsubscribe = this.#api.runtime.events.onSessionTranscriptUpdate(() =>
        this.#listener?.(),
      );
      if (typeof unsubscribe === "function") this.#unsubscribe = unsubscribe;
    } catch {
      // A host without these events.
    }
  }

  stop(): void {
    this.#listener = null;
    const unsubscribe = this.#unsubscribe;
    this.#unsubscribe = undefined;
    try {
      unsubscribe?.();
    } catch {
      // The host is gone further than we are.
    }
  }
}
