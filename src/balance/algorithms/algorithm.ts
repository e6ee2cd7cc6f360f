import type { ServerSnapshot } from '../server.ts';

/** Chooses among the servers of one backend. */
export interface Algorithm {
  /** Takes the servers that may be chosen from now on, all of which are eligible. Keeps what it knows of those that stay. */
  rebuild(servers: readonly ServerSnapshot[]): void;
  /**
   * The server that should have the next piece of work among those that `accept` allows; undefined: none.
   *
   * @param key what it is hashed by, of 32 bits; undefined: it has nothing to be hashed by
   */
  pick(accept: (server: ServerSnapshot) => boolean, key?: number): ServerSnapshot | undefined;
  /** To be told whenever {@link AlgorithmDeps.load} of a server has changed. Unknown ones are ignored. */
  loadChanged?(id: string): void;
  /** To be told of work that a server has answered, or failed to. Unknown ones are ignored. */
  answered?(id: string, answer: Answered): void;
}

/** How long a server took over a piece of work. */
export interface Answered {
  /** Clock ms. */
  readonly now: number;
  readonly tookMs: number;
  readonly failed: boolean;
  /** Nobody has waited for the end: it would have taken longer. */
  readonly unfinished?: boolean;
}

export interface AlgorithmDeps {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Clock ms. */
  readonly now: () => number;
  /** Pieces of work under way on the server with this id. */
  readonly load: (id: string) => number;
}
