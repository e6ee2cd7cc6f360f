import { type Algorithm, createAlgorithm, eligible } from '../../balance/algorithms.ts';
import type { ServerSnapshot } from '../../balance/server.ts';
import type { BackendConfig } from '../../config/runtime/backends.ts';
import type { Clock } from '../../core/clock.ts';
import type { LeaseOutcome } from './lease.ts';
import type { LiveServer } from './live-server.ts';
import { inOrder, isSameList } from './server-order.ts';

type ChoiceConfig = Pick<BackendConfig, 'balance' | 'allBackups'>;

/** The servers of a backend that new work may go to, and the algorithm that chooses among them. */
export class Choice {
  readonly #known: ReadonlyMap<string, LiveServer>;
  readonly #clock: Clock;
  readonly #random: () => number;
  #config: ChoiceConfig;
  #algorithm: Algorithm;
  /** As of the last change: as they were told, and as they live. */
  #snapshots: readonly ServerSnapshot[] = [];
  #servers: readonly LiveServer[] = [];
  /** Servers have changed since: the choice is made anew when it is needed, once for all changes up to then. */
  #stale = false;

  /** @param known all servers of the backend, by id, as they are at any time */
  constructor(
    config: ChoiceConfig,
    known: ReadonlyMap<string, LiveServer>,
    deps: { readonly clock: Clock; readonly random: () => number },
  ) {
    this.#config = config;
    this.#known = known;
    this.#clock = deps.clock;
    this.#random = deps.random;
    this.#algorithm = this.#createAlgorithm();
  }

  set config(config: ChoiceConfig) {
    const { balance, allBackups } = this.#config;
    this.#config = config;
    if (config.allBackups !== allBackups) this.#stale = true;
    if (JSON.stringify(config.balance) === JSON.stringify(balance)) return;
    this.#algorithm = this.#createAlgorithm();
    this.#algorithm.rebuild(this.#snapshots);
  }

  /** The servers of the backend are not as they were. */
  changed(): void {
    this.#stale = true;
  }

  /** The best of the servers there are. */
  get servers(): readonly LiveServer[] {
    if (!this.#stale) return this.#servers;
    this.#stale = false;
    const snapshots = inOrder([...this.#known.values()].map(({ snapshot }) => snapshot));
    const choice = eligible(snapshots, this.#config.allBackups);
    // The end of a drain, for one, leaves it as it is.
    if (isSameList(choice, this.#snapshots)) return this.#servers;
    this.#snapshots = choice;
    this.#algorithm.rebuild(choice);
    this.#servers = choice.flatMap((snapshot) => this.#known.get(snapshot.id) ?? []);
    return this.#servers;
  }

  /** Whether there is one that is not among `tried`. */
  offersOther(tried: ReadonlySet<string>): boolean {
    return this.servers.some((server) => !tried.has(server.id));
  }

  /**
   * The one that the next piece of work goes to among those that `accept` allows; undefined: none.
   * @param key what it is hashed by
   */
  pick(accept: (server: ServerSnapshot) => boolean, key: number | undefined): LiveServer | undefined {
    const picked = this.#algorithm.pick(accept, key);
    return picked && this.#known.get(picked.id);
  }

  /**
   * The one with the least to do for its weight among those that `accept` allows; undefined: none. It takes nobody's
   * turn: of two servers in turn, one that is slow would get all requests, if each had the other stand in for it.
   */
  leastLoaded(accept: (server: LiveServer) => boolean): LiveServer | undefined {
    const { servers } = this;
    const from = Math.floor(this.#random() * servers.length);
    let [least, load] = [undefined as LiveServer | undefined, Number.POSITIVE_INFINITY];
    for (let i = 0; i < servers.length; i++) {
      const server = servers[(from + i) % servers.length];
      if (!server || !accept(server)) continue;
      const its = (server.active + 1) / server.snapshot.weight;
      if (its < load) [least, load] = [server, its];
    }
    return least;
  }

  /** Work on a server has begun or ended. */
  loadChanged(id: string): void {
    this.#algorithm.loadChanged?.(id);
  }

  /** Work on a server has ended. What a client gave up, and what never reached the server, says nothing about it. */
  ended(id: string, { error, responseMs, totalMs }: LeaseOutcome): void {
    this.loadChanged(id);
    if (!this.#algorithm.answered) return;
    const failed = error?.source === 'upstream';
    const unfinished = error?.code === 'HEDGED';
    if (responseMs === undefined && !failed && !unfinished) return;
    const now = this.#clock.now();
    this.#algorithm.answered(id, { now, tookMs: responseMs ?? totalMs, failed, unfinished });
  }

  #createAlgorithm(): Algorithm {
    return createAlgorithm(this.#config.balance, {
      random: this.#random,
      now: () => this.#clock.now(),
      load: (id) => this.#known.get(id)?.active ?? 0,
    });
  }
}
