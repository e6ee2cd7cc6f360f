import { serverId } from '../balance/server.ts';
import type { RuntimeConfig } from '../config/runtime/config.ts';
import type { RedisStoreConfig } from '../config/runtime/store.ts';
import { type Cancel, type Clock, sleep } from '../core/clock.ts';
import type { Part } from '../core/lifecycle.ts';
import type { Log } from '../core/log.ts';
import { HintsFile } from '../discovery/hints-file.ts';
import type { Resolver } from '../discovery/resolution.ts';
import { Watchers } from '../discovery/watchers.ts';
import { ServerAgents, type ServerAgentTarget } from '../health/server-agents.ts';
import type { ServerCheckTarget } from '../health/server-check.ts';
import { ServerChecks } from '../health/server-checks.ts';
import type { Slots } from '../health/slots.ts';
import type { ControlEnd } from '../proxy/plane/channel.ts';
import type { Listening } from '../proxy/plane/messages.ts';
import { BackendControl } from './backend-control.ts';
import { backendView } from './backend-view.ts';
import type { ClusterOrders } from './cluster-orders.ts';
import { type BackendExplanation, explain } from './explain.ts';
import { PlaneLine } from './plane-line.ts';
import { ResolverSections } from './resolvers.ts';
import { ServerOrders } from './server-orders.ts';
import { StickTables } from './stick-tables.ts';
import { TablePeers } from './table-peers.ts';
import { TicketKeys } from './ticket-keys.ts';
import type { ProcessView, SystemView } from './view.ts';

export interface ControlOptions {
  /** The line to the data plane. */
  readonly channel: ControlEnd;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** The registry in this process, if there is one. */
  readonly builtin: Resolver | undefined;
  /** Where the last answers for names are kept for the next start; undefined: nowhere. */
  readonly answersFile?: string | undefined;
  /** Shared with whoever else runs checks. */
  readonly slots: Slots;
  /** What operators say on all nodes; undefined: there is no registry to keep it. */
  readonly clusterOrders?: ClusterOrders | undefined;
  /** Where the registry is that other nodes share; undefined: none does, and there are no peers of stick-tables. */
  readonly redis?: RedisStoreConfig | undefined;
}

/** What only the composition of the whole knows. */
export type ProcessFacts = Omit<ProcessView, 'maxconn' | 'connections' | 'stopping' | 'tablePeers'>;

/** New backends get this long to find their first servers before they are used, ms. */
const SETTLE_WITHIN_MS = 2_000;
const SETTLE_POLL_MS = 5;

/**
 * The control process: knows the configuration, follows names, checks servers, and tells the data plane whom to send
 * work to. Decisions are made here only.
 */
export class Control implements Part {
  readonly name = 'control';
  readonly orders: ServerOrders;
  readonly tables: StickTables;
  readonly #options: ControlOptions;
  readonly #line: PlaneLine;
  readonly #tickets: TicketKeys;
  readonly #peers: TablePeers | undefined;
  readonly #sections: ResolverSections;
  readonly #watchers: Watchers;
  readonly #hints: HintsFile | undefined;
  readonly #checks: ServerChecks;
  readonly #agents: ServerAgents;
  readonly #unsubscribe: readonly Cancel[];
  readonly #backends = new Map<string, BackendControl>();
  /** Those some of whose servers are checked. */
  readonly #checked = new WeakSet<BackendControl>();
  #config: RuntimeConfig | undefined;
  #listening: readonly Listening[] = [];
  #stopping: Promise<void> | undefined;

  constructor(options: ControlOptions) {
    const { clock, random, log, slots, builtin } = options;
    this.#options = options;
    this.orders = new ServerOrders(this.#backends, options.clusterOrders);
    this.#sections = new ResolverSections(clock, random, builtin);
    const { resolvers } = this.#sections.update([]);
    const { answersFile: file } = options;
    this.#hints = file === undefined ? undefined : new HintsFile({ file, clock, log });
    this.#watchers = new Watchers({ resolvers, clock, random, log, hints: this.#hints });
    const spread = () => this.#config?.global.spreadChecks ?? 0;
    this.#checks = new ServerChecks({ clock, random, slots, spread });
    this.#agents = new ServerAgents({ clock, random, slots });
    const everywhere = options.clusterOrders?.listen(({ backend, id, mode, why }) =>
      this.#backends.get(backend)?.operator(id, mode, why),
    );
    this.#unsubscribe = [
      ...(everywhere ? [everywhere] : []),
      this.#checks.flips.on(({ id }) => this.#tellHealth(id)),
      this.#agents.news.on(({ id }) => this.#tellHealth(id)),
    ];
    this.#line = new PlaneLine(options.channel, clock, {
      idle: (backend, server) => this.#backends.get(backend)?.idle(server),
      missed: (name) => {
        const backend = this.#backends.get(name);
        if (backend) this.#line.setServers(backend.set);
      },
      trouble: ({ backend, server, code, message }) => {
        log.debug({ backend, server, code, error: message }, 'server in trouble');
        this.#checks.checkNow(`${backend}/${server}`);
        if (code.startsWith('CONNECT_')) this.#backends.get(backend)?.lookAgain();
      },
      observed: ({ backend, server, errors, onError }) => {
        this.#checks.observed(`${backend}/${server}`, onError, `${errors} errors in a row`);
      },
      steered: ({ backend, ...message }) => this.#backends.get(backend)?.steered(message),
      stuck: (backend, entries) => this.#peers?.tell(backend, entries),
    });
    const { redis } = options;
    this.#peers = redis && new TablePeers({ redis, tables: this.#line, clock, log, random });
    this.tables = new StickTables(
      this.#backends,
      (backend, question) => this.#line.askTable(backend, question),
      log,
    );
    this.#tickets = new TicketKeys(clock, (key) => this.#line.setTicketKey(key));
  }

  /** What keeps it from serving; empty when it is ready. */
  get notReady(): readonly string[] {
    if (this.#stopping) return ['stopping'];
    if (!this.#config) return ['not listening yet'];
    return [...this.#backends.values()]
      .filter(({ settled }) => !settled)
      .map(({ name }) => `backend ${name}: its names have not been looked up yet`);
  }

  /** Where the frontends listen. */
  get listening(): readonly Listening[] {
    return this.#listening;
  }

  async start(): Promise<void> {
    this.#tickets.start();
    await this.#checks.start();
  }

  /**
   * Takes a configuration, the first or another one. All or nothing: rejects with BIND_FAILED, and then everything is
   * as before. Not to be called while another call is under way.
   */
  async apply(next: RuntimeConfig): Promise<void> {
    const { resolvers, release } = this.#sections.update(next.resolvers);
    this.#watchers.update(resolvers);
    const fresh = this.#newBackends(next);
    await this.#settled(fresh);
    const replaced = new Map(fresh.map(({ name }) => [name, this.#backends.get(name)]));
    for (const backend of fresh) this.#backends.set(backend.name, backend);
    try {
      this.#listening = await this.#line.configure(
        next,
        fresh.map(({ set }) => set),
      );
    } catch (error) {
      this.#restore(replaced);
      throw error;
    }
    for (const [name, backend] of replaced) {
      if (!backend) continue;
      backend.stop();
      this.#setChecks(name, this.#backends.get(name));
    }
    this.#config = next;
    this.#follow(next);
    this.#peers?.update(next.backends);
    for (const { name, set } of fresh) {
      const empty = set.servers.length === 0;
      if (empty) this.#options.log.warn({ backend: name }, `backend ${name} has no server yet`);
    }
    release();
  }

  /** All there is to show; `process` is what control does not know of itself. */
  async view(process: ProcessFacts): Promise<Omit<SystemView, 'mysqlVips'>> {
    const counters = await this.#line.collect();
    const now = this.#options.clock.now();
    const stopping = this.#stopping !== undefined;
    const maxconn = this.#config?.global.maxconn ?? 0;
    return {
      at: now,
      wall: this.#options.clock.wall(),
      process: {
        ...process,
        ...{ maxconn, connections: counters.connections, stopping },
        tablePeers: this.#peers?.view,
      },
      resolvers: this.#sections.view(),
      frontends: counters.frontends.map((row) => ({ counters: row, status: stopping ? 'STOP' : 'OPEN' })),
      backends: counters.backends.flatMap((row) => {
        const backend = this.#backends.get(row.name);
        return backend ? [backendView(backend, row, this.#checks, this.#agents, now)] : [];
      }),
    };
  }

  /** Names of the backends, in file order. */
  get backends(): readonly string[] {
    return [...this.#backends.keys()];
  }

  /** Why servers of a backend are in or out; undefined: there is no such backend. See {@link explain}. */
  explain(backend: string, server?: string): BackendExplanation | undefined {
    const { clock } = this.#options;
    const found = this.#backends.get(backend);
    return found && explain(found, this.#checks, server, { now: clock.now(), wall: clock.wall() });
  }

  /** Lets the data plane finish what it has, after `grace` and until the deadline; then ends everything. Idempotent. */
  stop(deadline: number): Promise<void> {
    this.#stopping ??= this.#stop(deadline);
    return this.#stopping;
  }

  async #stop(deadline: number): Promise<void> {
    const { clock, log } = this.#options;
    const grace = Math.min(this.#config?.global.grace ?? 0, deadline - clock.now());
    try {
      // Not ready any more, but at work: whoever sends connections here gets time to notice.
      if (grace > 0) await sleep(clock, grace);
      const cut = await this.#line.drain(Math.max(0, deadline - clock.now()));
      if (cut > 0) log.warn({ cut }, 'requests and connections were cut: hard-stop-after has passed');
    } finally {
      this.#line.close();
      await this.#peers?.close();
      this.#tickets.stop();
      for (const unsubscribe of this.#unsubscribe) unsubscribe();
      for (const backend of this.#backends.values()) backend.stop();
      this.#watchers.stop();
      await this.#hints?.close();
      this.#sections.close();
      await Promise.all([this.#checks.stop(deadline), this.#agents.stop(deadline)]);
    }
  }

  /** Backends that are not there yet, looking for their servers; one of another mode is another backend. */
  #newBackends(next: RuntimeConfig): readonly BackendControl[] {
    const fresh = next.backends.filter(({ name, mode }) => this.#backends.get(name)?.config.mode !== mode);
    return fresh.map((config) => {
      const backend: BackendControl = new BackendControl(config, {
        clock: this.#options.clock,
        log: this.#options.log,
        watchers: this.#watchers,
        onMembers: (ids) => this.#syncChecks(backend, ids),
        tracked: ({ backend: name, server }, { id, snapshot }) => {
          const other = this.#backends.get(name);
          const { address, port } = snapshot;
          return other?.target(server ?? id) ?? other?.target(serverId(address, port));
        },
        standing: (id) => this.#options.clusterOrders?.find(config.name, id),
        publish: (change) => {
          if (this.#backends.get(change.backend) === backend) this.#line.changeServers(change);
        },
      });
      backend.start();
      return backend;
    });
  }

  /** Waits until all names have been looked up, but not for ever: a name that cannot be resolved stops nobody. */
  async #settled(backends: readonly BackendControl[]): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.now() + SETTLE_WITHIN_MS;
    while (backends.some(({ settled }) => !settled) && clock.now() < deadline) {
      await sleep(clock, SETTLE_POLL_MS);
    }
  }

  /** Undoes what {@link apply} had begun. */
  #restore(replaced: ReadonlyMap<string, BackendControl | undefined>): void {
    for (const [name, before] of replaced) {
      this.#backends.get(name)?.stop();
      if (before) {
        this.#backends.set(name, before);
        // What has changed of it meanwhile was not told.
        this.#line.setServers(before.set);
      } else this.#backends.delete(name);
      // Those that were to come may have had their servers checked already.
      this.#setChecks(name, before);
    }
    const { resolvers, release } = this.#sections.update(this.#config?.resolvers ?? []);
    this.#watchers.update(resolvers);
    release();
  }

  /** Brings the backends that stay up to date, and forgets those that are gone. */
  #follow(next: RuntimeConfig): void {
    const wanted = new Map(next.backends.map((config) => [config.name, config]));
    for (const [name, backend] of this.#backends) {
      const config = wanted.get(name);
      if (config) {
        backend.update(config);
        continue;
      }
      backend.stop();
      this.#backends.delete(name);
      this.#setChecks(name, undefined);
    }
  }

  /**
   * Has exactly this backend's servers checked, and takes over what is known of them already. Called at every change of
   * its servers with the ids of those that it is about, so it touches no others; without ids it looks at all.
   */
  #syncChecks(backend: BackendControl, ids: Iterable<string> | undefined): void {
    const { name, checked } = backend;
    if (this.#backends.get(name) !== backend) return;
    const before = this.#checked.has(backend);
    if (checked) this.#checked.add(backend);
    else this.#checked.delete(backend);
    if (checked || before) this.#syncServers(backend, checked === before ? ids : undefined);
    // What they track may have come or gone, or be checked otherwise.
    for (const other of this.#backends.values()) {
      if (other !== backend && other.tracks(name)) this.#syncServers(other, undefined);
    }
  }

  #syncServers(backend: BackendControl, some: Iterable<string> | undefined): void {
    if (some) this.#changeChecks(backend, some);
    else this.#setChecks(backend.name, backend);
    for (const id of some ?? backend.members.ids) this.#tellHealth(`${backend.name}/${id}`);
  }

  /** What is known of a server, for its backend to decide about. */
  #tellHealth(target: string): void {
    const at = target.indexOf('/');
    const backend = this.#backends.get(target.slice(0, at));
    backend?.health(target.slice(at + 1), this.#checks.state(target), this.#agents.state(target));
  }

  /** Of all servers of a backend; undefined: it is no more. */
  #setChecks(name: string, backend: BackendControl | undefined): void {
    const ids = backend?.checked ? backend.members.ids : [];
    this.#checks.set(
      name,
      ids.flatMap((id) => backend?.target(id) ?? []),
    );
    this.#agents.set(
      name,
      ids.flatMap((id) => backend?.agent(id) ?? []),
    );
  }

  #changeChecks(backend: BackendControl, ids: Iterable<string>): void {
    const all = [...ids];
    const targets = all.map((id): [string, ServerCheckTarget | undefined] => [id, backend.target(id)]);
    const agents = all.map((id): [string, ServerAgentTarget | undefined] => [id, backend.agent(id)]);
    const goneOf = (found: readonly [string, unknown][]) =>
      found.flatMap(([id, target]) => (target ? [] : [`${backend.name}/${id}`]));
    this.#checks.change(
      backend.name,
      targets.flatMap(([, target]) => target ?? []),
      goneOf(targets),
    );
    this.#agents.change(
      backend.name,
      agents.flatMap(([, target]) => target ?? []),
      goneOf(agents),
    );
  }
}
