import { type ServerSnapshot, sameSnapshot } from './server.ts';

/** Servers that are new or not as they were, and ids of those that are gone. */
export interface Changes {
  readonly servers: readonly ServerSnapshot[];
  readonly gone: readonly string[];
}

/** Gathers what changes from one time it is asked for to the next. What is undone in between is no change. */
export class ChangeLog {
  /** What was known of each when it first changed; undefined: nothing. */
  readonly #before = new Map<string, ServerSnapshot | undefined>();

  /** Servers about which something may have changed. */
  get ids(): readonly string[] {
    return [...this.#before.keys()];
  }

  get empty(): boolean {
    return this.#before.size === 0;
  }

  /** To be called with what was known of a server before it changes. */
  note(id: string, before: ServerSnapshot | undefined): void {
    if (!this.#before.has(id)) this.#before.set(id, before);
  }

  /** @param now what is known of a server now */
  take(now: (id: string) => ServerSnapshot | undefined): Changes {
    const servers: ServerSnapshot[] = [];
    const gone: string[] = [];
    for (const [id, before] of this.#before) {
      const after = now(id);
      if (after && !(before && sameSnapshot(before, after))) servers.push(after);
      else if (before && !after) gone.push(id);
    }
    this.#before.clear();
    return { servers, gone };
  }
}
