import { isDeepStrictEqual } from 'node:util';
import { Members, type Reasons, type Transition } from '../balance/members.ts';
import type { ServerChange, ServerSet } from '../balance/server.ts';
import type { OperatorMode } from '../balance/state.ts';
import type { BackendConfig } from '../config/runtime/backends.ts';
import type { AddressSource, DomainSource, ServerSource } from '../config/runtime/servers.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { preferredSet } from '../discovery/address-preference.ts';
import { type DiscoveredSet, idOf } from '../discovery/discovered-set.ts';
import type { Subscription, Watchers } from '../discovery/watchers.ts';
import type { ServerCheckFacts, ServerCheckTarget } from '../health/server-check.ts';
import { BackendNews } from './backend-news.ts';
import { addressCandidate, changedCandidates, endpointCandidates } from './candidates.ts';
import { Exclusions } from './exclusions.ts';

export interface BackendControlDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly watchers: Watchers;
  /**
   * Something about the servers with these ids has changed, or about all: the checks of them may have to. Called
   * before the data plane hears of it.
   */
  readonly onMembers: (ids?: readonly string[]) => void;
  readonly publish: (change: ServerChange) => void;
}

type HealthFacts = Pick<ServerCheckFacts, 'up' | 'why' | 'row'>;

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
  readonly news: BackendNews;
  config: BackendConfig;
  readonly #deps: BackendControlDeps;
  readonly #exclusions: Exclusions;
  readonly #subscriptions = new Map<string, Subscription>();
  /** Entries that a reload took away, believed until the names that came instead have answered. */
  readonly #leaving = new Map<string, Followed>();
  /** Keys of those names. */
  readonly #awaited = new Set<string>();
  /** The last answer to each name that its servers were brought in line with. */
  readonly #answers = new Map<string, DiscoveredSet>();
  /** Changes that are to be told together, as they belong to one step; undefined: each at once. */
  #step: Transition[] | undefined;
  /** Rises with every change that is told. */
  #revision = 0;
  /** Clock ms of the next end of a drain, and its timer. */
  #tickAt: number | undefined;
  #cancelTick: Cancel | undefined;

  constructor(config: BackendConfig, deps: BackendControlDeps) {
    this.config = config;
    this.#deps = deps;
    this.#exclusions = new Exclusions(deps.log, config.name);
    this.news = new BackendNews(config.name, deps.clock, deps.log);
  }

  get name(): string {
    return this.config.name;
  }

  /** What the data plane is to know of it. */
  get set(): ServerSet {
    return { backend: this.name, revision: this.#revision, servers: this.members.snapshots() };
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
    this.#inOneStep(() => this.#deps.onMembers());
    this.#changed(this.#panicked());
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
    for (const id of this.members.ids) {
      const target = this.target(id);
      if (target) yield target;
    }
  }

  /** How a server is to be checked; undefined: not at all, or there is no such server. */
  target(id: string): ServerCheckTarget | undefined {
    const member = this.members.get(id);
    const check = member && this.#sourceOf(id)?.check;
    if (!check) return undefined;
    const { address, port } = member.snapshot;
    const { httpchk, timeout } = this.config;
    // As in HAProxy, another port speaks in the clear.
    const tls = check.port === undefined ? member.snapshot.tls : undefined;
    return { id: `${this.name}/${id}`, address, port, check, httpchk, tls, timeout: timeout.check };
  }

  /** Takes what checks say of a server; `undefined`: nothing checks it, so nothing speaks against it. */
  health(id: string, facts: HealthFacts | undefined): void {
    const now = this.#deps.clock.now();
    const up = facts?.up ?? true;
    const why = facts ? evidenceOf(facts) : 'not checked';
    this.#changed(this.members.health(id, up, why, now));
  }

  /** Takes what an operator says of a server. */
  operator(id: string, mode: OperatorMode, why: string): void {
    this.#changed(this.members.operator(id, mode, why, this.#deps.clock.now()));
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
      this.#answers.delete(source.key);
    }
    this.#setSources();
  }

  /** What `act` changes is told as one change: a server that replaces another leaves no gap between them. */
  #inOneStep(act: () => void): void {
    this.#changed(this.#gathered(act));
  }

  /** What `act` changes, before it is told to anyone. */
  #gathered(act: () => void): readonly Transition[] {
    const step: Transition[] = [];
    const outer = this.#step;
    this.#step = step;
    try {
      act();
    } finally {
      this.#step = outer;
    }
    return step;
  }

  #configured(source: AddressSource): void {
    const reasons = { present: 'in the configuration', absent: () => 'removed from the configuration' };
    const now = this.#deps.clock.now();
    this.#changed(this.members.discover(source.key, [addressCandidate(source)], reasons, now));
  }

  #subscribe(source: DomainSource): void {
    this.#answers.delete(source.key);
    const { members } = this;
    const subscription = this.#deps.watchers.subscribe(
      source,
      (set) => this.#answered(source, preferredSet(set, source.preference)),
      (event) => this.news.heard(source.domain, event),
      (endpoint) => members.get(idOf(endpoint))?.state.facts.health.up === false,
    );
    this.#subscriptions.set(source.key, subscription);
  }

  #forget(key: string): readonly Subscription[] {
    const subscription = this.#subscriptions.get(key);
    this.#subscriptions.delete(key);
    this.#answers.delete(key);
    return subscription ? [subscription] : [];
  }

  #answered(source: DomainSource, set: DiscoveredSet): void {
    this.#exclusions.note(source.key, set.excluded);
    const awaited = this.#awaited.delete(source.key);
    if (this.#step || !awaited) {
      this.#found(source, set);
      return;
    }
    this.#inOneStep(() => {
      this.#found(source, set);
      this.#letLeave();
    });
  }

  /** Many backends may follow a name that changes all the time: only what has changed of it is looked at. */
  #found(source: DomainSource, set: DiscoveredSet): void {
    const { members } = this;
    const now = this.#deps.clock.now();
    const reasons: Reasons = {
      present: set.hint
        ? `known from before the start, ${source.domain} has not resolved yet`
        : `found by ${source.domain}`,
      absent: (id) =>
        set.excluded.find((excluded) => idOf(excluded) === id)?.why ?? `no longer found by ${source.domain}`,
    };
    const before = this.#answers.get(source.key);
    this.#answers.set(source.key, set);
    const change = before && changedCandidates(source, before, set);
    this.#changed(
      change
        ? members.discoverChange(source.key, change.said, change.gone, reasons, now)
        : members.discover(source.key, endpointCandidates(source, set), reasons, now),
    );
  }

  /** Which entry of the configuration a server's check comes from: the first one that stands for it. */
  #sourceOf(id: string): ServerSource | undefined {
    const key = this.members.sourceOf(id);
    const source = this.config.servers.find((one) => one.key === key);
    return source ?? (key === undefined ? undefined : this.#leaving.get(key)?.source);
  }

  #changed(transitions: readonly Transition[]): void {
    if (this.#step) {
      this.#step.push(...transitions);
      return;
    }
    if (transitions.length === 0 && !this.members.changed) return;
    // Checks may know of a new server already that it is down: then nobody is told that it is up.
    const all = [...transitions, ...this.#gathered(() => this.#deps.onMembers(this.members.changedIds))];
    all.push(...this.#panicked());
    this.news.changed(this.members, all);
    this.#publish();
    this.#armTick();
  }

  #publish(): void {
    const { servers, gone } = this.members.takeChanges();
    if (servers.length === 0 && gone.length === 0) return;
    const since = this.#revision++;
    this.#deps.publish({ backend: this.name, revision: this.#revision, since, servers, gone });
  }

  /** Decides whether so few servers are up that all have to help. */
  #panicked(): readonly Transition[] {
    const { panicThreshold = 0 } = this.config;
    if (panicThreshold === 0 && !this.news.panic.on) return [];
    const change = this.news.judge(this.members.all(), panicThreshold);
    return change ? this.members.panic(change.on, change.why, this.#deps.clock.now()) : [];
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

/** What a check's verdict rests on: what it last found, and how often in a row. */
function evidenceOf({ why, row }: HealthFacts): string {
  return row > 1 ? `${why}, ${row} in a row` : why;
}
