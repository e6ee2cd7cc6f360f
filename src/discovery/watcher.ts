import type { Cancel, Clock } from '../core/clock.ts';
import { asVaneError, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { DiscoveredSet } from './discovered-set.ts';
import { Pace } from './pace.ts';
import type { Endpoint, Resolution, Resolver } from './resolution.ts';
import { logWatcherEvent } from './watcher-log.ts';
import {
  NOTHING_KNOWN,
  nextWatcherState,
  type WatcherEvent,
  type WatcherState,
  watcherEvents,
} from './watcher-state.ts';

/** Milliseconds throughout. */
export interface WatcherOptions {
  readonly resolver: Resolver;
  readonly domain: string;
  readonly port: number | undefined;
  /** From the end of one look-up to the start of the next, give or take a tenth. */
  readonly interval: number;
  readonly onEmpty: 'drain' | 'keep';
  /** What is known of the name already; its set counts as told. */
  readonly known?: WatcherState;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Hears every set that differs from the one before, the first included. Synchronous; must not throw. */
  readonly onSet: (set: DiscoveredSet) => void;
  /** Hears, before the set it may come with, what the log is told as well. Must not throw. */
  readonly onEvent?: (event: WatcherEvent) => void;
}

interface LookUp {
  readonly abort: AbortController;
  readonly cancelDeadline: Cancel;
}

/** Failing connections may ask for a look-up each: they get one this often, from start to start. */
const LOOK_NOW_APART_MS = 100;
/**
 * A look-up ends by itself within what its resolver allows it (`resolve_retries` × `timeout retry`, a few
 * times over); past this it hangs, and must not keep the watcher from ever looking again.
 */
const LONGEST_LOOK_UP_MS = 30_000;
const JITTER = 0.1;

/**
 * Watches one name: looks it up at once, on an interval, whenever its resolver says that something changed, and
 * when asked to; never twice at a time. Keeps the last good set through any number of failures. Started and
 * stopped once.
 */
export class Watcher {
  readonly #options: WatcherOptions;
  readonly #pace = new Pace();
  #resolver: Resolver;
  #interval: number;
  #state: WatcherState;
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #unwatch: Cancel = () => {};
  #running: LookUp | undefined;
  #cancelTimer: Cancel = () => {};
  /** Clock ms: when the last look-up began, when the next is due, and when one was asked for besides. */
  #began = Number.NEGATIVE_INFINITY;
  #due = Number.NEGATIVE_INFINITY;
  #asked = Number.POSITIVE_INFINITY;

  constructor(options: WatcherOptions) {
    this.#options = options;
    this.#resolver = options.resolver;
    this.#interval = options.interval;
    this.#state = options.known ?? NOTHING_KNOWN;
  }

  get state(): WatcherState {
    return this.#state;
  }

  /** What a resolver answers without waiting is told within microtasks. */
  start(): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'running';
    this.#watch();
    this.#schedule();
  }

  /** Nothing is told any more, and nothing is left behind. */
  stop(): void {
    this.#phase = 'stopped';
    this.#unwatch();
    this.#cancelTimer();
    this.#drop('the name is not watched any more');
  }

  /** Looks again now, for when a connection to one of its servers failed. */
  lookNow(): void {
    this.#ask(this.#began + LOOK_NOW_APART_MS);
  }

  /** The next look-up is due as if the interval had always been this one. */
  changeInterval(interval: number): void {
    if (interval === this.#interval) return;
    this.#due += interval - this.#interval;
    this.#interval = interval;
    this.#schedule();
  }

  /** Looks up through another resolver from now on, at once. What is known stays. */
  changeResolver(resolver: Resolver): void {
    this.#resolver = resolver;
    if (this.#phase !== 'running') return;
    this.#unwatch();
    this.#drop('the resolver was replaced');
    this.#watch();
    this.#ask(this.#options.clock.now());
  }

  #watch(): void {
    const { domain, clock } = this.#options;
    const onChange = () => {
      const now = clock.now();
      this.#ask(now + this.#pace.wait(now));
    };
    this.#unwatch = this.#resolver.watch?.(domain, onChange) ?? (() => {});
  }

  /** A look-up under way may have seen too little: another follows it. */
  #ask(at: number): void {
    this.#asked = Math.min(this.#asked, at);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#phase !== 'running' || this.#running) return;
    const { clock } = this.#options;
    this.#cancelTimer();
    const wait = Math.min(this.#due, this.#asked) - clock.now();
    if (wait <= 0) this.#lookUp();
    else this.#cancelTimer = clock.after(wait, () => this.#lookUp());
  }

  #lookUp(): void {
    const { clock, domain, port } = this.#options;
    const abort = new AbortController();
    const longest = Math.max(this.#interval, LONGEST_LOOK_UP_MS);
    const cancelDeadline = clock.after(longest, () =>
      abort.abort(new VaneError('RESOLVE_TIMEOUT', `${domain}: no answer within ${longest} ms`)),
    );
    const running = { abort, cancelDeadline };
    this.#running = running;
    this.#began = clock.now();
    this.#asked = Number.POSITIVE_INFINITY;
    const last = this.#state.set?.endpoints ?? [];
    void resolveUntil(this.#resolver, domain, port, abort.signal, last).then((resolution) => {
      // Dropped meanwhile: by now it may speak for a resolver that is not asked any more.
      if (this.#running !== running) return;
      cancelDeadline();
      this.#running = undefined;
      this.#take(resolution);
    });
  }

  #take(resolution: Resolution): void {
    const { clock, random, onEmpty, domain, log, onSet, onEvent } = this.#options;
    const now = clock.now();
    const before = this.#state;
    const after = nextWatcherState(before, resolution, onEmpty, now);
    this.#state = after;
    this.#due = now + this.#interval * (1 - JITTER + 2 * JITTER * random());
    // First, so that it goes on whatever the listeners do.
    this.#schedule();
    for (const event of watcherEvents(before, after, now)) {
      logWatcherEvent(log, { domain, resolvers: this.#resolver.id }, event, after.set?.endpoints.length);
      if (this.#phase === 'running') onEvent?.(event);
    }
    if (!after.set || after.set === before.set || this.#phase !== 'running') return;
    const from = clock.now();
    onSet(after.set);
    this.#pace.told(from, clock.now());
  }

  #drop(why: string): void {
    const running = this.#running;
    this.#running = undefined;
    running?.cancelDeadline();
    running?.abort.abort(new VaneError('STOPPING', why));
  }
}

/** A resolver that hangs or throws against its contract is one that failed. */
function resolveUntil(
  resolver: Resolver,
  domain: string,
  port: number | undefined,
  signal: AbortSignal,
  last: readonly Endpoint[],
): Promise<Resolution> {
  return new Promise((resolve) => {
    const fail = (thrown: unknown) => resolve({ ok: false, error: asVaneError(thrown) });
    signal.addEventListener('abort', () => fail(signal.reason), { once: true });
    const resolved = async () => resolver.resolve(domain, port, signal, last);
    resolved().then(resolve, fail);
  });
}
