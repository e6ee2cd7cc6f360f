import type { DomainSource } from '../config/runtime/servers.ts';
import type { Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { DiscoveredSet } from './discovered-set.ts';
import type { HintsFile } from './hints-file.ts';
import { initialHint } from './initial-hint.ts';
import type { Endpoint, Resolver } from './resolution.ts';
import { Watcher } from './watcher.ts';
import type { WatcherEvent, WatcherState } from './watcher-state.ts';

/** What a subscriber wants to know about: the parts of a source that say what is looked up, and how. */
export type WatchedSource = Pick<
  DomainSource,
  'domain' | 'port' | 'resolvers' | 'interval' | 'onEmpty' | 'maxRemoval' | 'initAddr'
>;

export interface Subscription {
  readonly state: WatcherState;
  /** Nothing is told any more. Idempotent. */
  unsubscribe(): void;
  /** Looks again now, for when a connection to one of the servers failed. */
  lookNow(): void;
}

export interface WatchersOptions {
  /** By id; `builtin` is the registry. */
  readonly resolvers: ReadonlyMap<string, Resolver>;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** What names stood for before a restart; without it, nobody knows. */
  readonly hints?: Pick<HintsFile, 'find' | 'note'> | undefined;
}

/** Id of the registry in this process. */
const BUILTIN = 'builtin';

interface Watched {
  readonly source: WatchedSource;
  readonly watcher: Watcher;
  /** As found under the source's id; undefined: there is none. */
  resolver: Resolver | undefined;
  readonly sets: Emitter<DiscoveredSet>;
  readonly events: Emitter<WatcherEvent>;
  /** The intervals of the subscribers; the shortest counts. */
  readonly intervals: Map<object, number>;
  /** What the subscribers know of the health of servers; one that says it is down is believed. */
  readonly doubts: Set<(endpoint: Endpoint) => boolean>;
}

/**
 * One look-up for all who watch the same name in the same way. What is known of a name outlives its settings: to
 * change those, subscribe anew before the old subscription is given up.
 */
export class Watchers {
  readonly #options: WatchersOptions;
  #resolvers: ReadonlyMap<string, Resolver>;
  readonly #watched = new Map<string, Watched>();
  #stopped = false;

  constructor(options: WatchersOptions) {
    this.#options = options;
    this.#resolvers = options.resolvers;
  }

  /**
   * Watches a name. `onSet` hears the present set, if one is known, before this returns, and then every
   * set that differs from the one before. Throws STOPPING after {@link stop}.
   */
  subscribe(
    source: WatchedSource,
    onSet: (set: DiscoveredSet) => void,
    onEvent: (event: WatcherEvent) => void = () => {},
    isDown: (endpoint: Endpoint) => boolean = () => false,
  ): Subscription {
    if (this.#stopped) throw new VaneError('STOPPING', `${source.domain} cannot be watched: stopping`);
    const key = keyOf(source);
    const watched = this.#watched.get(key) ?? this.#watch(key, source);
    const subscriber = {};
    let ended = false;
    // A listener may end another's subscription, or all, while both are being told.
    const active = () => !ended && !this.#stopped;
    // Of its own, as the same function may be given twice.
    const doubt = (endpoint: Endpoint) => isDown(endpoint);
    const cancels = [
      watched.sets.on((set) => active() && onSet(set)),
      watched.events.on((event) => active() && onEvent(event)),
      () => watched.doubts.delete(doubt),
    ];
    watched.doubts.add(doubt);
    watched.intervals.set(subscriber, source.interval);
    watched.watcher.changeInterval(shortest(watched));
    if (watched.watcher.state.set) onSet(watched.watcher.state.set);
    watched.watcher.start();
    return {
      get state() {
        return watched.watcher.state;
      },
      unsubscribe: () => {
        ended = true;
        for (const cancel of cancels) cancel();
        this.#leave(key, watched, subscriber);
      },
      lookNow: () => {
        if (active()) watched.watcher.lookNow();
      },
    };
  }

  /**
   * Replaces the resolvers. Names whose resolver is another one now are looked up through it at once and keep
   * what is known of them meanwhile; to be called before the replaced ones are closed.
   */
  update(resolvers: ReadonlyMap<string, Resolver>): void {
    this.#resolvers = resolvers;
    for (const watched of this.#watched.values()) {
      const id = watched.source.resolvers;
      const resolver = resolvers.get(id);
      if (resolver === watched.resolver) continue;
      watched.resolver = resolver;
      watched.watcher.changeResolver(resolver ?? nobody(id));
    }
  }

  /** Ends every subscription. */
  stop(): void {
    this.#stopped = true;
    for (const { watcher } of this.#watched.values()) watcher.stop();
    this.#watched.clear();
  }

  #leave(key: string, watched: Watched, subscriber: object): void {
    if (!watched.intervals.delete(subscriber)) return;
    if (watched.intervals.size > 0) {
      watched.watcher.changeInterval(shortest(watched));
    } else {
      watched.watcher.stop();
      this.#watched.delete(key);
    }
  }

  #watch(key: string, source: WatchedSource): Watched {
    const { clock, random, log, hints } = this.#options;
    const onError = (error: unknown) =>
      log.error({ domain: source.domain, error: messageOf(error) }, 'listener of a name failed');
    const sets = new Emitter<DiscoveredSet>(onError);
    const events = new Emitter<WatcherEvent>(onError);
    const resolver = this.#resolvers.get(source.resolvers);
    const { domain, port, interval, onEmpty, maxRemoval } = source;
    const known = [...this.#watched.values()].find(({ source: other }) => isSameName(other, source));
    // The registry in this process keeps what it knows itself, and is never late.
    const kept = source.resolvers === BUILTIN ? undefined : hints;
    const doubts = new Set<(endpoint: Endpoint) => boolean>();
    const watcher = new Watcher({
      resolver: resolver ?? nobody(source.resolvers),
      domain,
      port,
      interval,
      onEmpty,
      maxRemoval,
      hint: known ? undefined : initialHint(source, kept?.find(source), clock.wall()),
      isDown: (endpoint) => [...doubts].some((isDown) => isDown(endpoint)),
      ...(known ? { known: known.watcher.state } : {}),
      clock,
      random,
      log,
      onSet: (set) => sets.emit(set),
      onEvent: (event) => events.emit(event),
      onAnswer: ({ set }) => kept?.note(source, set?.endpoints ?? []),
    });
    const watched = { source, watcher, resolver, sets, events, intervals: new Map(), doubts };
    this.#watched.set(key, watched);
    return watched;
  }
}

/** What makes two sources one look-up; their intervals may differ. */
function keyOf({ resolvers, domain, port, onEmpty, maxRemoval, initAddr }: WatchedSource): string {
  return JSON.stringify([resolvers, domain, port ?? null, onEmpty, maxRemoval ?? null, initAddr ?? null]);
}

/** Whether they look the same up, whatever they make of the answers. */
function isSameName(a: WatchedSource, b: WatchedSource): boolean {
  return a.domain === b.domain && a.port === b.port && a.resolvers === b.resolvers;
}

function shortest({ intervals }: Watched): number {
  return Math.min(...intervals.values());
}

/** Stands in for a resolver that does not exist, perhaps only until the next {@link Watchers.update}. */
function nobody(id: string): Resolver {
  const error = new VaneError('RESOLVE_FAILED', `there is no resolvers section ${id}`);
  return { id, resolve: async () => ({ ok: false, error }) };
}
