import type { ServerSnapshot } from '../server.ts';

/** Chooses among the servers of one backend. */
export interface Algorithm {
  /** Takes the servers that may be chosen from now on, all of which are eligible. Keeps what it knows of those that stay. */
  rebuild(servers: readonly ServerSnapshot[]): void;
  /** The server that should have the next piece of work among those that `accept` allows; undefined: none. */
  pick(accept: (server: ServerSnapshot) => boolean): ServerSnapshot | undefined;
}

export interface AlgorithmDeps {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Pieces of work under way on the server with this id. */
  readonly load: (id: string) => number;
}
