import type { ServerChange, ServerSet } from '../balance/server.ts';

/** A server of a backend that holds no more work anywhere. */
export interface Idle {
  readonly backend: string;
  readonly server: string;
  readonly revision: number;
}

interface Drain<Voter> {
  /** Of the set by which the drain began. */
  readonly since: number;
  /** Who may still hold work of it. */
  readonly waiting: Set<Voter>;
}

/**
 * Puts together what several planes say of draining servers: one is idle when every plane that was there when its
 * drain began has said so, or is gone. Planes that come later get no work of it.
 */
export class IdleVotes<Voter> {
  /** By backend and server. Over are those that nobody is waited for. */
  readonly #drains = new Map<string, Map<string, Drain<Voter>>>();

  /** Takes the servers of a backend, given to these planes; returns which are idle at once, for want of planes. */
  servers(set: ServerSet, voters: Iterable<Voter>): readonly Idle[] {
    const there = new Set(set.servers.map(({ id }) => id));
    const gone = [...(this.#drains.get(set.backend)?.keys() ?? [])].filter((id) => !there.has(id));
    return this.change({ ...set, gone }, voters);
  }

  /** The same for what has changed of them. */
  change(
    { backend, revision, servers, gone }: Omit<ServerChange, 'since'>,
    voters: Iterable<Voter>,
  ): readonly Idle[] {
    const drains = this.#drains.get(backend) ?? new Map<string, Drain<Voter>>();
    const idle: Idle[] = [];
    for (const server of gone) drains.delete(server);
    for (const { id: server, admission } of servers) {
      if (admission === 'open') drains.delete(server);
      else if (!drains.has(server)) {
        const drain = { since: revision, waiting: new Set(voters) };
        drains.set(server, drain);
        if (drain.waiting.size === 0) idle.push({ backend, server, revision });
      }
    }
    if (drains.size === 0) this.#drains.delete(backend);
    else this.#drains.set(backend, drains);
    return idle;
  }

  /** A plane holds no more work of a server; returns true when it was the last one that was waited for. */
  idle(voter: Voter, { backend, server, revision }: Idle): boolean {
    const drain = this.#drains.get(backend)?.get(server);
    // What it says of an earlier drain, which was taken back, says nothing of this one.
    if (!drain || revision < drain.since || !drain.waiting.delete(voter)) return false;
    return drain.waiting.size === 0;
  }

  /** A plane is gone, and its work with it; returns what is idle now. */
  leave(voter: Voter): readonly Idle[] {
    const idle: Idle[] = [];
    for (const [backend, drains] of this.#drains) {
      for (const [server, { since, waiting }] of drains) {
        if (waiting.delete(voter) && waiting.size === 0) idle.push({ backend, server, revision: since });
      }
    }
    return idle;
  }

  /** Forgets a backend: it is gone, or another one by that name takes its place. */
  forget(backend: string): void {
    this.#drains.delete(backend);
  }
}
