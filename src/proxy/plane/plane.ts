import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { ServerChange, ServerSet } from '../../balance/server.ts';
import type { Cancel, Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import type { AccessEntry } from '../access-entry.ts';
import { HttpAcceptor } from '../request/http-acceptor.ts';
import { StickNews } from '../stick/stick-news.ts';
import { answerFor, type TableAnswer } from '../stick/table-question.ts';
import { TcpAcceptor } from '../tcp/sessions.ts';
import type { PlaneEnd } from './channel.ts';
import { ClientConnections } from './client-connections.ts';
import type { PlaneContext } from './context.ts';
import { type DoorHost, Doors, type DoorWay, type Opened, type OpenListener } from './doors.ts';
import { keepRequestsYoung } from './heap.ts';
import { LiveBackend } from './live-backend.ts';
import { type Acceptor, LiveFrontend } from './live-frontend.ts';
import type { FromPlane, ToPlane } from './messages.ts';
import type { TlsDoor } from './tls-door.ts';

type ConfigMessage = Extract<ToPlane, { type: 'config' }>;

interface Site {
  readonly frontend: LiveFrontend;
  readonly acceptor: Acceptor;
}

/** How long tunnels may take to close at the deadline, ms: a little longer than the relay takes at most. */
const CLOSE_WITHIN_MS = 600;

export interface PlaneOptions {
  readonly channel: PlaneEnd;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  readonly access: (entry: AccessEntry) => void;
  /** Opens the sockets that it listens on; by default it binds them itself. */
  readonly open?: OpenListener;
  /** There are other planes of the same configuration: they are told whose clients are. */
  readonly shared?: boolean;
}

/**
 * A data plane: listeners, frontends and backends as control has told it, and nothing that it decided itself.
 * Messages are obeyed one after the other.
 */
export class Plane implements PlaneContext, DoorHost {
  readonly clock: Clock;
  readonly log: Log;
  readonly access: (entry: AccessEntry) => void;
  readonly #channel: PlaneEnd;
  readonly #random: () => number;
  readonly #connections: ClientConnections;
  readonly #doors: Doors;
  readonly #unsubscribe: Cancel;
  readonly #sites = new Map<string, Site>();
  readonly #backends = new Map<string, LiveBackend>();
  /** Of the servers of each backend, as they are known. */
  readonly #revisions = new Map<string, number>();
  /** Backends of which a change was missed, until their whole set is there. */
  readonly #missed = new Set<string>();
  /** Sites and backends that a reload took away, while they finish what they have. */
  readonly #stickNews: StickNews;
  /** There are other planes in the process. */
  readonly #shared: boolean;
  readonly #retired = new Set<Site>();
  readonly #retiredBackends = new Set<LiveBackend>();
  /** Accepted sockets whose TLS is ours: those that have not come to a site yet nobody else could end. */
  readonly #encrypted = new Set<Socket>();
  readonly #timers = new Set<Cancel>();
  #obeying: Promise<void> = Promise.resolve();
  #draining = false;
  #closeSpread = 0;

  constructor(options: PlaneOptions) {
    keepRequestsYoung();
    this.clock = options.clock;
    this.log = options.log;
    this.access = options.access;
    this.#channel = options.channel;
    this.#random = options.random;
    this.#shared = options.shared === true;
    this.#stickNews = new StickNews(options.clock, (backend, entries) =>
      this.#channel.post({ type: 'stuck', backend, entries }),
    );
    this.#connections = new ClientConnections(options.clock);
    this.#doors = new Doors(options.log, this, options.open);
    this.#unsubscribe = options.channel.onMessage((message) => {
      this.#obeying = this.#obeying
        .then(() => this.#obey(message))
        .catch((thrown) => {
          this.log.error({ message: message.type, error: messageOf(thrown) }, 'data plane could not obey');
        });
    });
  }

  get connections(): number {
    return this.#connections.open;
  }

  get draining(): boolean {
    return this.#draining;
  }

  backend(name: string): LiveBackend | undefined {
    return this.#backends.get(name);
  }

  admitted(frontend: string, socket: Socket): boolean {
    const site = this.#sites.get(frontend);
    if (site) return this.#connections.admit(socket, site.frontend);
    socket.destroy();
    return false;
  }

  headFailed(frontend: string, error: Error): void {
    this.log.debug({ frontend, error: messageOf(error) }, 'no head of the PROXY protocol');
  }

  accepted(frontend: string, socket: Socket, { tls, proto }: DoorWay): void {
    const site = this.#sites.get(frontend);
    if (!site) socket.destroy();
    else if (tls) this.#encrypt(socket, tls);
    else site.acceptor.serve(socket, proto);
  }

  secured(frontend: string, socket: TLSSocket): void {
    const site = this.#sites.get(frontend);
    if (site) site.acceptor.serve(socket);
    else socket.destroy();
  }

  handshakeFailed(frontend: string, error: Error): void {
    const site = this.#sites.get(frontend);
    if (site) site.frontend.tally.sslFailedHandshake++;
    this.log.debug({ frontend, error: messageOf(error) }, 'TLS handshake failed');
  }

  /** Ends everything at once, and the line to control with it. */
  close(): void {
    this.#draining = true;
    this.#unsubscribe();
    this.#cut(new VaneError('STOPPING', 'Vane is stopping'));
    for (const socket of this.#encrypted) socket.destroy();
    for (const backend of [...this.#backends.values(), ...this.#retiredBackends]) backend.closeIdle();
    this.#stickNews.close();
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    this.#channel.close();
  }

  async #obey(message: ToPlane): Promise<void> {
    switch (message.type) {
      case 'config':
        return this.#configure(message);
      case 'servers':
        return this.#setServers(message.set);
      case 'change':
        return this.#changeServers(message.change);
      case 'stick':
        return this.#backends.get(message.backend)?.stickiness?.learn(message.entries);
      case 'teach':
        for (const [name, { stickiness }] of this.#backends) this.#stickNews.teach(name, stickiness?.table);
        return;
      case 'table':
        return this.#channel.post({ type: 'table', id: message.id, answer: this.#askTable(message) });
      case 'tickets':
        return this.#doors.setTicketKey(message.key);
      case 'collect':
        return this.#channel.post({ type: 'counters', id: message.id, counters: this.#counters() });
      case 'drain':
        // Not waited for: messages that follow, such as `collect`, are obeyed meanwhile.
        void this.#drain(message.withinMs);
        return;
    }
  }

  async #configure(message: ConfigMessage): Promise<void> {
    const { generation, frontends } = message;
    const opened: Opened = this.#draining ? { ok: false, problems: [] } : await this.#doors.open(frontends);
    if (!opened.ok) {
      this.#channel.post({ type: 'rejected', generation, problems: opened.problems });
      return;
    }
    // Meanwhile it may have been told to stop.
    if (this.#draining) {
      opened.discard();
      this.#channel.post({ type: 'rejected', generation, problems: [] });
      return;
    }
    // From here on nothing can fail and nothing waits: the change is one step for every request.
    this.#connections.limit = message.maxconn;
    this.#closeSpread = message.closeSpread;
    this.#setBackends(message);
    this.#setFrontends(message);
    opened.take();
    this.#channel.post({ type: 'applied', generation, listening: this.#doors.listening });
  }

  #setBackends({ backends, sets }: ConfigMessage): void {
    const wanted = new Set(backends.map(({ name, mode }) => `${mode} ${name}`));
    for (const [name, live] of this.#backends) {
      if (!wanted.has(`${live.config.mode} ${name}`)) this.#retireBackend(live);
    }
    for (const config of backends) {
      const live = this.#backends.get(config.name);
      if (live) live.update(config);
      else this.#backends.set(config.name, this.#newBackend(config));
    }
    for (const set of sets) this.#setServers(set);
  }

  #newBackend(config: LiveBackend['config']): LiveBackend {
    const { name: backend } = config;
    // One that was retired says nothing more: its name may be another's.
    const say = (message: FromPlane) => {
      if (this.#backends.get(backend) === live) this.#channel.post(message);
    };
    const live: LiveBackend = new LiveBackend(config, {
      clock: this.clock,
      random: this.#random,
      events: {
        idle: ({ id: server }) =>
          say({ type: 'idle', backend, server, revision: this.#revisions.get(backend) ?? 0 }),
        trouble: ({ id: server }, { code, message }) =>
          say({ type: 'trouble', backend, server, code, message }),
        steered: ({ id: server }, { change, cause, why, forMs }) =>
          say({ type: 'steered', backend, server, out: change === 'ejected', cause, why, forMs }),
        stuck: (entry) => {
          const isWanted = this.#shared || live.config.stickiness?.table?.peers;
          if (isWanted && this.#backends.get(backend) === live) this.#stickNews.add(backend, entry);
        },
        observed: ({ id: server, observe }) => {
          if (!observe) return;
          const { limit: errors, onError } = observe;
          say({ type: 'observed', backend, server, errors, onError });
        },
        spared: ({ name: server }, cut) => {
          this.log.info(
            { backend, server, cut },
            `backup ${backend}/${server} is needed no more: ${cut} cut`,
          );
        },
        cut: ({ name: server }, cut) => {
          const message = `server ${backend}/${server} is gone before its work was done: ${cut} cut`;
          this.log.warn({ backend, server, cut }, message);
        },
      },
    });
    return live;
  }

  #setFrontends({ frontends }: ConfigMessage): void {
    const wanted = new Set(frontends.map(({ name, mode }) => `${mode} ${name}`));
    for (const [name, site] of this.#sites) {
      if (!wanted.has(`${site.frontend.config.mode} ${name}`)) this.#retireSite(site);
    }
    for (const config of frontends) {
      const site = this.#sites.get(config.name);
      if (site) {
        site.frontend.config = config;
        site.acceptor.update(config);
      } else {
        const frontend = new LiveFrontend(config);
        const acceptor =
          config.mode === 'http' ? new HttpAcceptor(frontend, this) : new TcpAcceptor(frontend, this);
        this.#sites.set(config.name, { frontend, acceptor });
      }
    }
  }

  #encrypt(socket: Socket, tls: TlsDoor): void {
    this.#encrypted.add(socket);
    socket.once('close', () => this.#encrypted.delete(socket));
    tls.take(socket);
  }

  #retireSite(site: Site): void {
    this.#sites.delete(site.frontend.name);
    this.#retired.add(site);
    site.acceptor.drain(this.#closeSpread);
    // Forgotten once the last of its connections has ended.
    void site.frontend.tally.sessions.none().then(() => this.#retired.delete(site));
  }

  /** What it is doing may be finished within the longest drain time of its servers. */
  #retireBackend(live: LiveBackend): void {
    this.#backends.delete(live.name);
    this.#revisions.delete(live.name);
    this.#missed.delete(live.name);
    this.#retiredBackends.add(live);
    live.closeIdle();
    const longest = Math.max(0, ...live.config.servers.map(({ drain }) => drain));
    const cancel = this.clock.after(longest, () => {
      this.#timers.delete(cancel);
      this.#retiredBackends.delete(live);
      live.cut(new VaneError('SERVER_REMOVED', `backend ${live.name} was removed`));
    });
    this.#timers.add(cancel);
  }

  #setServers(set: ServerSet): void {
    const live = this.#backends.get(set.backend);
    if (!live) return;
    this.#missed.delete(set.backend);
    // Before, for it may report at once.
    this.#revisions.set(set.backend, set.revision);
    live.setServers(set.servers);
  }

  #changeServers({ backend, revision, since, servers, gone, cut = [] }: ServerChange): void {
    const live = this.#backends.get(backend);
    if (!live || this.#missed.has(backend)) return;
    if (this.#revisions.get(backend) !== since) {
      this.#missed.add(backend);
      this.#channel.post({ type: 'missed', backend });
      return;
    }
    this.#revisions.set(backend, revision);
    live.changeServers(servers, gone);
    if (cut.length > 0) live.cutWork(cut);
  }

  #askTable({ backend, question }: Extract<ToPlane, { type: 'table' }>): TableAnswer | undefined {
    const table = this.#backends.get(backend)?.stickiness?.table;
    if (question.do === 'clear') this.#stickNews.forget(backend);
    return table && answerFor(table, question, this.clock.now());
  }

  #counters() {
    const now = this.clock.now();
    return {
      connections: this.#connections.open,
      frontends: [...this.#sites.values()].map(({ frontend }) => frontend.counters(now)),
      backends: [...this.#backends.values()].map((backend) => backend.counters()),
    };
  }

  async #drain(withinMs: number): Promise<void> {
    if (this.#draining) return;
    this.#draining = true;
    await this.#doors.finish();
    for (const { acceptor } of this.#sites.values()) acceptor.drain(this.#closeSpread);
    await this.#emptied(withinMs);
    const cut = this.#cut(new VaneError('STOPPING', 'Vane is stopping'));
    // What is closed rather than cut still has a little to say.
    if (cut > 0) await this.#emptied(CLOSE_WITHIN_MS);
    for (const socket of this.#encrypted) socket.destroy();
    this.#channel.post({ type: 'drained', cut });
  }

  /** Resolves once no connection is left, or that much later. */
  async #emptied(withinMs: number): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = this.clock.after(withinMs, resolve);
    this.#timers.add(cancel);
    await Promise.race([this.#connections.allClosed(), late]);
    cancel();
    this.#timers.delete(cancel);
  }

  /** Ends what is under way; returns how much it was. */
  #cut(reason: VaneError): number {
    this.#doors.close();
    let cut = 0;
    for (const { acceptor } of [...this.#sites.values(), ...this.#retired]) cut += acceptor.cut(reason);
    for (const backend of [...this.#backends.values(), ...this.#retiredBackends]) backend.cut(reason);
    return cut;
  }
}
