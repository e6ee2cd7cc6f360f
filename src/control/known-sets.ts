import type { ServerChange, ServerSet, ServerSnapshot } from '../balance/server.ts';

/** The servers of backends as they were last told, whole or by what changed. */
export class KnownSets {
  readonly #sets = new Map<string, { revision: number; readonly servers: Map<string, ServerSnapshot> }>();

  put({ backend, revision, servers }: ServerSet): void {
    this.#sets.set(backend, { revision, servers: new Map(servers.map((server) => [server.id, server])) });
  }

  /** False, and nothing is changed: a change before this one has been missed. */
  change({ backend, revision, since, servers, gone }: ServerChange): boolean {
    const known = this.#sets.get(backend);
    if (known?.revision !== since) return false;
    for (const id of gone) known.servers.delete(id);
    for (const server of servers) known.servers.set(server.id, server);
    known.revision = revision;
    return true;
  }

  get(backend: string): ServerSet | undefined {
    const known = this.#sets.get(backend);
    return known && { backend, revision: known.revision, servers: [...known.servers.values()] };
  }

  all(): readonly ServerSet[] {
    return this.backends.flatMap((backend) => this.get(backend) ?? []);
  }

  get backends(): readonly string[] {
    return [...this.#sets.keys()];
  }

  has(backend: string, id: string): boolean {
    return this.#sets.get(backend)?.servers.has(id) === true;
  }

  forget(backend: string): void {
    this.#sets.delete(backend);
  }
}
