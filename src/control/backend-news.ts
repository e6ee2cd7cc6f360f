import type { Member, Members, Transition } from '../balance/members.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { idOf } from '../discovery/discovered-set.ts';
import type { WatcherEvent } from '../discovery/watcher-state.ts';
import type { FromPlane } from '../proxy/plane/messages.ts';
import { DrainTally, logTransition } from './events.ts';
import { History } from './history.ts';
import { nameNews } from './name-news.ts';
import { Outage } from './outage.ts';
import { type PanicChange, PanicWatch } from './panic-watch.ts';

/** What happens to one backend and its servers: logged, counted and remembered. */
export class BackendNews {
  readonly history = new History();
  readonly drains = new DrainTally();
  readonly outage: Outage;
  readonly panic: PanicWatch;
  readonly #backend: string;
  readonly #clock: Clock;
  readonly #log: Log;

  constructor(backend: string, clock: Clock, log: Log) {
    this.#backend = backend;
    this.#clock = clock;
    this.#log = log;
    this.outage = new Outage(false, clock.now());
    this.panic = new PanicWatch(clock.now());
  }

  /** One change of its servers, whole, before {@link Members.takeChanges}. */
  changed(members: Members, transitions: readonly Transition[]): void {
    const { open, changedIds } = members;
    this.history.note(changedIds, (id) => members.get(id), transitions, this.#clock.wall());
    for (const transition of transitions) {
      this.drains.record(transition);
      logTransition(this.#log, this.#backend, transition, open);
    }
    this.#noteOutage(open);
  }

  /** An operator has weighed a server. */
  weighed({ id, snapshot }: Member, why: string): void {
    this.history.server(id, { at: this.#clock.wall(), source: 'operator', says: 'weight', why });
    const backend = this.#backend;
    this.#log.info({ backend, server: snapshot.name, why }, `server ${backend}/${snapshot.name} is weighed`);
  }

  /** Whether so few of its servers are up that all have to help; undefined: as before. */
  judge(members: Iterable<Member>, threshold: number): PanicChange | undefined {
    const change = this.panic.judge(members, threshold, this.#clock.now());
    if (!change) return undefined;
    const { on, why } = change;
    const says = on ? 'panic: all servers are used, those that are down too' : 'panic is over';
    this.history.backend({ at: this.#clock.wall(), source: 'panic', says, why });
    this.#log[on ? 'error' : 'info']({ backend: this.#backend, why }, `backend ${this.#backend}: ${says}`);
    return change;
  }

  /** Something has happened to one of its names; that is logged where the name is followed. */
  heard(domain: string, event: WatcherEvent): void {
    const at = this.#clock.wall();
    if (!(event.kind === 'held' && event.more)) this.history.backend({ at, ...nameNews(domain, event) });
    if (event.kind !== 'held') return;
    const why = `no longer found by ${domain}, as too many others: max-removal`;
    for (const endpoint of event.endpoints) {
      this.history.server(idOf(endpoint), { at, source: 'guard', says: 'held back', why });
    }
  }

  /** A plane passes a server over from now on, or does so no more. */
  steered(
    name: string,
    { server, out, cause, why, forMs }: Omit<Extract<FromPlane, { type: 'steered' }>, 'backend' | 'type'>,
  ): void {
    const says = out ? 'passed over' : 'back';
    this.history.server(server, { at: this.#clock.wall(), source: 'traffic', says, why });
    const fields = { backend: this.#backend, server: name, cause, why, ...(out ? { forMs } : {}) };
    const message = `server ${this.#backend}/${name} ${out ? 'is passed over by new requests' : 'is used again'}`;
    this.#log[out ? 'warn' : 'info'](fields, message);
  }

  #noteOutage(open: number): void {
    const now = this.#clock.now();
    const { downs, since } = this.outage.read(now);
    if (!this.outage.record(open > 0, now)) return;
    const backend = this.#backend;
    const says = open === 0 ? 'no server available' : 'has a server';
    this.history.backend({ at: this.#clock.wall(), source: 'backend', says, why: '' });
    if (open === 0) this.#log.error({ backend }, `backend ${backend} has no server available`);
    else if (downs > 0) {
      const seconds = Math.round((now - since) / 1000);
      this.#log.info({ backend, open, seconds }, `backend ${backend} has a server again`);
    }
  }
}
