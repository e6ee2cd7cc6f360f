import { isDeepStrictEqual } from 'node:util';
import { Members, type Reasons, type Transition } from '../balance/members.ts';
import type { ServerSet, ServerSnapshot } from '../balance/server.ts';
import type { BackendConfig } from '../config/runtime/backends.ts';
import type { AddressSource, DomainSource, ServerSource } from '../config/runtime/servers.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import type { DiscoveredSet } from '../discovery/discovered-set.ts';
import type { Subscription, Watchers } from '../discovery/watchers.ts';
import type { ServerCheckTarget } from '../health/server-check.ts';
import { addressCandidate, endpointCandidates } from './candidates.ts';
import { DrainTally, logTransition } from './events.ts';
import { Exclusions } from './exclusions.ts';
import { Outage } from './outage.ts';

export interface BackendControlDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly watchers: Watchers;
  /** Its servers have changed: the checks of them may have to. Called before the data plane hears of it. */
  readonly onMembers: () => void;
  readonly publish: (set: ServerSet) => void;
}

/** An entry of `servers` and, where it is a name, how it is followed. */
interface Followed {
  readonly source: ServerSource;
  readonly subscription: Subscription | undefined;
}

/**
 * One backend as the control process sees it: who its servers are, what may be done with each, and everything that
 * has a say in it brought together. Whatever changes is told to the data plane at once.
 */
export class BackendControl {
  readonly members = new Members();
  readonly drains = new DrainTally();
  readonly outage: Outage;
  config: BackendConfig;
  readonly #deps: BackendControlDeps;
  readonly #exclusions: Exclusions;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Entries that a reload took away, believed until the names that came instead have answered. */
  readonly #leaving = new Map<string, Followed>();
  /** Keys of those names. */
  readonly #awaited = new Set<string>();
  /** Changes that are to be told together, as they belong to one step; undefined: each at once. */
  #step: Transition[] | undefined;
  #set: ServerSet;
  /** The servers that the last change was about; the same array as long as nothing about them changes. */
  #seen: readonly ServerSnapshot[] = [];
  /** Clock ms of the next end of a drain, and its timer. */
  #tickAt: number | undefined;
  #cancelTick: Cancel | undefined;

  constructor(config: BackendConfig, deps: BackendControlDeps) {
    this.config = config;
    this.#deps = deps;
    this.#exclusions = new Exclusions(deps.log, config.name);
    this.#set = { backend: config.name, revision: 0, servers: [] };
    this.outage = new Outage(false, deps.clock.now());
  }

  get name(): string {
    return this.config.name;
  }

  /** What the data plane is to know of it. */
  get set(): ServerSet {
    return this.#set;
  }

  /** Every name has been looked up at least once, whatever came of it. */
  get settled(): boolean {
    return [...this.#subscriptions.values()].every(({ state }) => state.settled);
  }

  /** Its names and what is known of each. */
  *names(): Iterable<{ readonly source: DomainSource; readonly state: Subscription['state'] }> {
    for (const source of this.config.servers) {
      const state = this.#subscriptions.get(source.key)?.state;
      if (source.kind === 'domain' && state) yield { source, state };
    }
  }

  /** Begins to look its names up. */
  start(): void {
    this.#follow();
  }

  /**
   * Takes a new configuration; servers that stay keep their state and counters. Names that it brings are not known
   * yet, and that they are not is no reason to have no servers: what they replace goes when they have answered.
   */
  update(config: BackendConfig): void {
    const before = new Map(this.config.servers.map((source) => [source.key, source]));
    this.config = config;
    const replaced: Subscription[] = [];
    for (const source of config.servers) {
      const old = before.get(source.key);
      before.delete(source.key);
      const returned = this.#leaving.get(source.key)?.subscription;
      if (returned) replaced.push(returned);
      this.#leaving.delete(source.key);
      if (!old && source.kind === 'domain') this.#awaited.add(source.key);
      if (old && !isDeepStrictEqual(old, source)) replaced.push(...this.#forget(source.key));
    }
    for (const [key, source] of before) {
      this.#awaited.delete(key);
      const [subscription] = this.#forget(key);
      this.#leaving.set(key, { source, subscription });
    }
    this.#follow();
    if (this.#leaving.size > 0) {
      const { name } = this;
      const names = [...this.#awaited];
      this.#deps.log.warn(
        { backend: name, names },
        `backend ${name} keeps its former servers until these answer`,
      );
    }
    // Only now: what is known of a name lasts as long as somebody watches it.
    for (const subscription of replaced) subscription.unsubscribe();
    // Checks may have changed though no server has.
    this.#deps.onMembers();
  }

  /** Ends its look-ups and timers; its servers stay as they are. */
  stop(): void {
    for (const key of [...this.#subscriptions.keys()]) {
      for (const subscription of this.#forget(key)) subscription.unsubscribe();
    }
    for (const { subscription } of this.#leaving.values()) subscription?.unsubscribe();
    this.#leaving.clear();
    this.#cancelTick?.();
    this.#cancelTick = undefined;
  }

  /** Whether the load balancer checks any of its servers itself. */
  get checked(): boolean {
    const check = (source: ServerSource) => source.check !== undefined;
    return this.config.servers.some(check) || [...this.#leaving.values()].some(({ source }) => check(source));
  }

  /** What the load balancer is to check itself. */
  *targets(): Iterable<ServerCheckTarget> {
    if (!this.checked) return;
    for (const { id, snapshot } of this.members.all()) {
      const check = this.#sourceOf(snapshot)?.check;
      if (!check) continue;
      const { address, port } = snapshot;
      const { httpchk, timeout } = this.config;
      // As in HAProxy, another port speaks in the clear.
      const tls = check.port === undefined ? snapshot.tls : undefined;
      yield { id: `${this.name}/${id}`, address, port, check, httpchk, tls, timeout: timeout.check };
    }
  }

  /** Takes what checks say of a server; `undefined`: nothing checks it, so nothing speaks against it. */
  health(id: string, facts: { readonly up: boolean; readonly why: string } | undefined): void {
    const now = this.#deps.clock.now();
    const { up, why } = facts ?? { up: true, why: 'not checked' };
    this.#changed(this.members.health(id, up, why, now));
  }

  /** The data plane holds no more work of it. */
  idle(id: string): void {
    this.#changed(this.members.idle(id, this.#deps.clock.now()));
  }

  /** Connections to a server fail: its name may stand for another one by now. */
  lookAgain(): void {
    for (const subscription of this.#subscriptions.values()) subscription.lookNow();
    for (const { subscription } of this.#leaving.values()) subscription?.lookNow();
  }

  #follow(): void {
    this.#inOneStep(() => {
      this.#setSources();
      for (const source of this.config.servers) {
        if (source.kind === 'address') this.#configured(source);
        else if (!this.#subscriptions.has(source.key)) this.#subscribe(source);
      }
      this.#letLeave();
    });
  }

  #setSources(): void {
    const keys = [...this.config.servers.map(({ key }) => key), ...this.#leaving.keys()];
    this.#changed(this.members.setSources(keys, this.#deps.clock.now()));
  }

  /** Takes the former entries away once every name that came instead has answered. */
  #letLeave(): void {
    if (this.#awaited.size > 0 || this.#leaving.size === 0) return;
    const left = [...this.#leaving.values()];
    this.#leaving.clear();
    for (const { source, subscription } of left) {
      subscription?.unsubscribe();
      this.#exclusions.forget(source.key);
    }
    this.#setSources();
  }

  /** What `act` changes is told as one change: a server that replaces another leaves no gap between them. */
  #inOneStep(act: () => void): void {
    const step: Transition[] = [];
    this.#step = step;
    try {
      act();
    } finally {
      this.#step = undefined;
      this.#changed(step);
    }
  }

  #configured(source: AddressSource): void {
    const reasons = { present: 'in the configuration', absent: () => 'removed from the configuration' };
    this.#discovered(source, [addressCandidate(source)], reasons);
  }

  #subscribe(source: DomainSource): void {
    const subscription = this.#deps.watchers.subscribe(source, (set) => this.#answered(source, set));
    this.#subscriptions.set(source.key, subscription);
  }

  #forget(key: string): readonly Subscription[] {
    const subscription = this.#subscriptions.get(key);
    this.#subscriptions.delete(key);
    return subscription ? [subscription] : [];
  }

  #answered(source: DomainSource, { endpoints, excluded }: DiscoveredSet): void {
    this.#exclusions.note(source.key, excluded);
    const candidates = endpointCandidates(source, endpoints);
    const reasons: Reasons = {
      present: `found by ${source.domain}`,
      absent: (id) => {
        const gone = this.members.get(id)?.snapshot;
        const left = excluded.find(({ address, port }) => address === gone?.address && port === gone.port);
        return left?.why ?? `no longer found by ${source.domain}`;
      },
    };
    if (this.#step || !this.#awaited.has(source.key)) {
      this.#awaited.delete(source.key);
      this.#discovered(source, candidates, reasons);
      return;
    }
    this.#awaited.delete(source.key);
    this.#inOneStep(() => {
      this.#discovered(source, candidates, reasons);
      this.#letLeave();
    });
  }

  #discovered(source: ServerSource, candidates: Parameters<Members['discover']>[1], reasons: Reasons): void {
    const { clock } = this.#deps;
    this.#changed(this.members.discover(source.key, candidates, reasons, clock.now()));
  }

  /** Which entry of the configuration a server's check comes from: the first one that stands for it. */
  #sourceOf(snapshot: ServerSnapshot): ServerSource | undefined {
    const key = this.members.sourceOf(snapshot.id);
    const source = this.config.servers.find((one) => one.key === key);
    return source ?? (key === undefined ? undefined : this.#leaving.get(key)?.source);
  }

  #changed(transitions: readonly Transition[]): void {
    if (this.#step) {
      this.#step.push(...transitions);
      return;
    }
    const servers = this.members.snapshots();
    if (transitions.length === 0 && servers === this.#seen) return;
    this.#seen = servers;
    let open = 0;
    for (const { admission } of servers) if (admission === 'open') open++;
    for (const transition of transitions) {
      this.drains.record(transition);
      logTransition(this.#deps.log, this.name, transition, open);
    }
    this.#noteOutage(open);
    // Checks may know of a new server already that it is down: then this comes back here before anything is told.
    this.#deps.onMembers();
    this.#publish();
    this.#armTick();
  }

  #publish(): void {
    const servers = this.members.snapshots();
    if (servers === this.#set.servers) return;
    this.#set = { backend: this.name, revision: this.#set.revision + 1, servers };
    this.#deps.publish(this.#set);
  }

  #noteOutage(open: number): void {
    const { clock, log } = this.#deps;
    const now = clock.now();
    const { downs, since } = this.outage.read(now);
    if (!this.outage.record(open > 0, now)) return;
    if (open === 0) log.error({ backend: this.name }, `backend ${this.name} has no server available`);
    else if (downs > 0) {
      const seconds = Math.round((now - since) / 1000);
      log.info({ backend: this.name, open, seconds }, `backend ${this.name} has a server again`);
    }
  }

  #armTick(): void {
    const deadline = this.members.nextDeadline();
    if (this.#cancelTick && deadline === this.#tickAt) return;
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    this.#tickAt = deadline;
    if (deadline === undefined) return;
    const { clock } = this.#deps;
    // Timers may fire a fraction early; a whole millisecond avoids spinning on it.
    this.#cancelTick = clock.after(Math.max(1, deadline - clock.now()), () => {
      this.#cancelTick = undefined;
      this.#changed(this.members.tick(clock.now()));
      this.#armTick();
    });
  }
}
