import { isDeepStrictEqual } from 'node:util';
import { type Member, Members, type Reasons, type Transition } from '../balance/members.ts';
import type { ServerChange, ServerSet } from '../balance/server.ts';
import type { OperatorMode, StandingOrder } from '../balance/state.ts';
import type { WeightWord } from '../balance/weights.ts';
import type { BackendConfig } from '../config/runtime/backends.ts';
import type { AddressSource, DomainSource, ServerSource, TrackConfig } from '../config/runtime/servers.ts';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { preferredSet } from '../discovery/address-preference.ts';
import { type DiscoveredSet, idOf } from '../discovery/discovered-set.ts';
import type { Subscription, Watchers } from '../discovery/watchers.ts';
import type { ServerAgentFacts, ServerAgentTarget } from '../health/server-agents.ts';
import type { ServerCheckTarget } from '../health/server-check.ts';
import { BackendNews } from './backend-news.ts';
import { addressCandidate, changedCandidates, endpointCandidates, leftOutWhy } from './candidates.ts';
import { agentTarget, checkTarget } from './check-targets.ts';
import { Exclusions } from './exclusions.ts';
import { NextTimer } from './next-timer.ts';
import { adviceOf, type CheckEvidence, isDynamic, verdictOf } from './verdict.ts';
import { Warming } from './warming.ts';

export interface BackendControlDeps {
  readonly clock: Clock;
  readonly log: Log;
  readonly watchers: Watchers;
  /**
   * Something about the servers with these ids has changed, or about all: the checks of them may have to. Called
   * before the data plane hears of it.
   */
  readonly onMembers: (ids?: readonly string[]) => void;
  /** How a server that a server tracks is checked; undefined: there is none. */
  readonly tracked: (track: TrackConfig, member: Member) => ServerCheckTarget | undefined;
  /** What operators have said of a server for all nodes. */
  readonly standing: (id: string) => StandingOrder | undefined;
  readonly publish: (change: ServerChange) => void;
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
  readonly members: Members;
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
  readonly #warming: Warming;
  /** Names that have not answered since it came to be: what they find has not joined, it was there. */
  readonly #initial: Set<string>;
  /** Changes that are to be told together, as they belong to one step; undefined: each at once. */
  #step: Transition[] | undefined;
  /** The work of backups is to be ended with the next change that is told. */
  #endBackups = false;
  /** Rises with every change that is told. */
  #revision = 0;
  /** For the next end of a drain. */
  readonly #drainEnds: NextTimer;

  constructor(config: BackendConfig, deps: BackendControlDeps) {
    this.config = config;
    this.#deps = deps;
    this.members = new Members(deps.standing);
    this.#exclusions = new Exclusions(deps.log, config.name);
    this.news = new BackendNews(config.name, deps.clock, deps.log);
    this.#warming = new Warming({
      clock: deps.clock,
      members: this.members,
      timeOf: (id) => (isDynamic(this.config.balance) ? (this.#sourceOf(id)?.slowstart ?? 0) : 0),
      onStep: () => this.#changed([]),
    });
    this.#drainEnds = new NextTimer(deps.clock, () => {
      this.#changed(this.members.tick(deps.clock.now()));
      this.#drainEnds.set(this.members.nextDeadline());
    });
    this.#initial = new Set(config.servers.map(({ key }) => key));
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
    this.#drainEnds.set(undefined);
    this.#warming.stop();
  }

  /** Whether the load balancer checks any of its servers itself. */
  get checked(): boolean {
    const check = ({ check, track, agent }: ServerSource) => (check ?? track ?? agent) !== undefined;
    return this.config.servers.some(check) || [...this.#leaving.values()].some(({ source }) => check(source));
  }

  /** Whether any of its servers has the state of one of another backend. */
  tracks(backend: string): boolean {
    return this.config.servers.some(({ track }) => track?.backend === backend);
  }

  /** How a server is to be checked; undefined: not at all, or there is no such server. */
  target(id: string): ServerCheckTarget | undefined {
    const member = this.members.get(id);
    const source = member && this.#sourceOf(id);
    if (!source) return undefined;
    const tracked = source.track && this.#deps.tracked(source.track, member);
    return tracked ? { ...tracked, id: `${this.name}/${id}` } : checkTarget(this.config, member, source);
  }

  /** The agent to be asked about a server; undefined: none, or there is no such server. */
  agent(id: string): ServerAgentTarget | undefined {
    const member = this.members.get(id);
    const source = member && this.#sourceOf(id);
    return source && agentTarget(this.config, member, source);
  }

  /** Takes what a check and an agent say of a server; `undefined`: there is none, so it says nothing. */
  health(id: string, check: CheckEvidence | undefined, agent: ServerAgentFacts | undefined): void {
    const member = this.members.get(id);
    if (!member) return;
    this.members.adjust(id, { ...member.adjustment, ...adviceOf(check, agent, this.config.balance) });
    const { up, why } = verdictOf(check, agent);
    // What it tracks may not be there yet.
    const { probeFirst, check: own, track } = this.#sourceOf(id) ?? {};
    const awaited = !check && probeFirst === true && (own ?? track) !== undefined;
    const now = this.#deps.clock.now();
    this.#changed(this.#noted(this.members.health(id, up && !awaited, why, now), false));
  }

  /** Takes what an operator says of a server. */
  operator(id: string, mode: OperatorMode, why: string): void {
    this.#changed(this.#noted(this.members.operator(id, mode, why, this.#deps.clock.now()), false));
  }

  /** Takes an operator's word about a server's weight; as long as that is there. */
  weigh(id: string, operator: WeightWord, why: string): void {
    const member = this.members.get(id);
    if (!member) return;
    this.members.adjust(id, { ...member.adjustment, operator });
    this.news.weighed(member, why);
    this.#changed([]);
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

  /** A plane passes a server over from now on, or does so no more. */
  steered(message: Parameters<BackendNews['steered']>[1]): void {
    const member = this.members.get(message.server);
    if (member) this.news.steered(member.snapshot.name, message);
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
    const found = this.members.discover(source.key, [addressCandidate(source)], reasons, now);
    this.#changed(this.#noted(found, this.#initial.delete(source.key)));
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
      absent: (id) => leftOutWhy(set, id) ?? `no longer found by ${source.domain}`,
    };
    const before = this.#answers.get(source.key);
    this.#answers.set(source.key, set);
    const change = before && changedCandidates(source, before, set);
    const transitions = change
      ? members.discoverChange(source.key, change.said, change.gone, reasons, now)
      : members.discover(source.key, endpointCandidates(source, set), reasons, now);
    const initial = set.hint ? this.#initial.has(source.key) : this.#initial.delete(source.key);
    this.#changed(this.#noted(transitions, initial));
  }

  /** To be told of what has just come about, once. @param initial see {@link Warming.note} */
  #noted(transitions: readonly Transition[], initial: boolean): readonly Transition[] {
    this.#warming.note(transitions, initial);
    for (const { member, to, source } of transitions) {
      const recovers = to === 'open' && source === 'health' && !member.snapshot.backup;
      if (recovers && this.#sourceOf(member.id)?.endBackupsOnUp) this.#endBackups = true;
    }
    return transitions;
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
    this.#drainEnds.set(this.members.nextDeadline());
  }

  #publish(): void {
    const { servers, gone } = this.members.takeChanges();
    if (servers.length === 0 && gone.length === 0) return;
    const since = this.#revision++;
    const backups = this.#endBackups ? this.members.snapshots().filter(({ backup }) => backup) : [];
    this.#endBackups = false;
    const cut = backups.length > 0 ? { cut: backups.map(({ id }) => id) } : {};
    this.#deps.publish({ backend: this.name, revision: this.#revision, since, servers, gone, ...cut });
  }

  /** Decides whether so few servers are up that all have to help. */
  #panicked(): readonly Transition[] {
    const { panicThreshold = 0 } = this.config;
    if (panicThreshold === 0 && !this.news.panic.on) return [];
    const change = this.news.judge(this.members.all(), panicThreshold);
    return change ? this.members.panic(change.on, change.why, this.#deps.clock.now()) : [];
  }
}
