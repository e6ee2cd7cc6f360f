import type { Cancel, Clock } from '../core/clock.ts';
import { asVaneError, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { type DiscoveredSet, discoveredSet } from './discovered-set.ts';
import type { GuardRules } from './guards.ts';
import { acceptingEndpoints } from './hint-trial.ts';
import type { Hint } from './hints.ts';
import { Pace } from './pace.ts';
import type { Endpoint, Resolution, Resolver } from './resolution.ts';
import { logWatcherEvent } from './watcher-log.ts';
import {
  type AnswerRules,
  NOTHING_KNOWN,
  nextWatcherState,
  type WatcherEvent,
  type WatcherState,
  watcherEvents,
} from './watcher-state.ts';

/** Milliseconds throughout. */
export interface WatcherOptions extends GuardRules {
  readonly resolver: Resolver;
  readonly domain: string;
  readonly port: number | undefined;
  /** From the end of one look-up to the start of the next, give or take a tenth. */
  readonly interval: number;
  /** What is known of the name already; its set counts as told. */
  readonly known?: WatcherState;
  /** What was known before a restart. */
  readonly hint?: Hint | Promise<Hint | undefined> | undefined;
  /** What checks say of a server; by default that it is not down. */
  readonly isDown?: (endpoint: Endpoint) => boolean;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Hears every set that differs from the one before, the first included. Synchronous; must not throw. */
  readonly onSet: (set: DiscoveredSet) => void;
  /** Hears, before the set it may come with, what the log is told as well. Must not throw. */
  readonly onEvent?: (event: WatcherEvent) => void;
  /** Hears of every good answer, after the set it may have come with. Must not throw. */
  readonly onAnswer?: (state: WatcherState) => void;
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
/** What nobody has confirmed for so many look-ups, and no shorter than a minute, may be wrong by now. */
const STALE_LOOK_UPS = 10;
const STALE_AT_LEAST_MS = 60_000;

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
  #lookAgain = Number.POSITIVE_INFINITY;
  #state: WatcherState;
  #phase: 'new' | 'running' | 'stopped' = 'new';
  #unwatch: Cancel = () => {};
  #running: LookUp | undefined;
  #cancelTimer: Cancel = () => {};
  readonly #hintTrial = new AbortController();
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
    void this.#tryHint();
  }

  /** Nothing is told any more, and nothing is left behind. */
  stop(): void {
    this.#phase = 'stopped';
    this.#unwatch();
    this.#cancelTimer();
    this.#hintTrial.abort();
    this.#drop('the name is not watched any more');
  }

  /** Looks again now, for when a connection to one of its servers failed. */
  lookNow(): void {
    this.#ask(this.#began + LOOK_NOW_APART_MS);
  }

  /** The next look-up is due as if the interval had always been this one. */
  changeInterval(interval: number): void {
    if (interval === this.#interval) return;
    const before = this.#period;
    this.#interval = interval;
    this.#due += this.#period - before;
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

  /** ms between two look-ups: the interval, unless the last answer is to be asked for sooner. */
  get #period(): number {
    return Math.min(this.#interval, this.#lookAgain);
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
    const { set } = this.#state;
    const last = set && !set.hint ? set.endpoints : [];
    void resolveUntil(this.#resolver, domain, port, abort.signal, last).then((resolution) => {
      // Dropped meanwhile: by now it may speak for a resolver that is not asked any more.
      if (this.#running !== running) return;
      cancelDeadline();
      this.#running = undefined;
      this.#take(resolution);
    });
  }

  #take(resolution: Resolution): void {
    const { clock, random } = this.#options;
    const now = clock.now();
    const before = this.#state;
    const after = nextWatcherState(before, resolution, this.#rules, now);
    this.#state = after;
    this.#lookAgain = resolution.lookAgain ?? Number.POSITIVE_INFINITY;
    this.#due = now + this.#period * (1 - JITTER + 2 * JITTER * random());
    this.#asked = Math.min(this.#asked, after.until ?? Number.POSITIVE_INFINITY);
    // First, so that it goes on whatever the listeners do.
    this.#schedule();
    this.#tell(before, after, now);
    if (resolution.ok) this.#options.onAnswer?.(after);
  }

  get #rules(): AnswerRules {
    const { onEmpty, maxRemoval, isDown = () => false } = this.#options;
    const staleAfter = Math.max(STALE_AT_LEAST_MS, STALE_LOOK_UPS * this.#interval);
    return { onEmpty, maxRemoval, isDown, staleAfter };
  }

  /** Uses what was known before, of what is still there, until somebody answers for the name. */
  async #tryHint(): Promise<void> {
    const { clock } = this.#options;
    const hint = await this.#options.hint;
    if (!hint || this.#state.set) return;
    const { signal } = this.#hintTrial;
    const endpoints = await acceptingEndpoints(hint.endpoints, clock, signal);
    if (signal.aborted || this.#state.set || endpoints.length === 0) return;
    const before = this.#state;
    this.#state = { ...before, set: { ...discoveredSet({ endpoints, excluded: [] }), hint: true } };
    const age = clock.wall() - hint.at;
    this.#tell(before, this.#state, clock.now(), [{ kind: 'hinted', servers: endpoints.length, age }]);
  }

  #tell(
    before: WatcherState,
    after: WatcherState,
    now: number,
    events: readonly WatcherEvent[] = watcherEvents(before, after, now),
  ): void {
    const { clock, domain, log, onSet, onEvent } = this.#options;
    for (const event of events) {
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
