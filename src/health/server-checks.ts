import { sameTls } from '../balance/server.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { Emitter, type Listenable } from '../core/emitter.ts';
import type { Part } from '../core/lifecycle.ts';
import { ServerCheck, type ServerCheckFacts, type ServerCheckTarget } from './server-check.ts';
import { Slots } from './slots.ts';
import { settledBy } from './within.ts';

/** What checks know of one target. */
export interface ServerCheckState extends ServerCheckFacts {
  readonly id: string;
  /** True when this very result took the server up or down. */
  readonly flipped: boolean;
}

export interface ServerChecksOptions {
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Bounds how many checks run at once; to be shared with others that check. Default: 200 of its own. */
  readonly slots?: Slots;
}

const CHECKS_AT_ONCE = 200;

/**
 * The load balancer's own active checks of servers (HAProxy's `check inter … fall … rise …`). The same check
 * of the same address is run once, however many backends use it.
 */
export class ServerChecks implements Part {
  readonly name = 'server checks';
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #slots: Slots;
  /** By what makes two targets' checks the same, with the ids of the targets each speaks for. */
  readonly #checks = new Map<string, { readonly check: ServerCheck; readonly ids: Set<string> }>();
  /** By target id: the target, and the key of its check. */
  readonly #targets = new Map<string, { readonly target: ServerCheckTarget; readonly key: string }>();
  /** The ids of the targets of each owner. */
  readonly #owned = new Map<string, Set<string>>();
  readonly #ending = new Set<Promise<void>>();
  readonly #results = new Emitter<ServerCheckState>();
  readonly #flips = new Emitter<ServerCheckState>();

  constructor(options: ServerChecksOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#slots = options.slots ?? new Slots(CHECKS_AT_ONCE);
  }

  /** Every result, once for each target it is about. */
  get results(): Listenable<ServerCheckState> {
    return this.#results;
  }

  /** Of the results those that took a server up or down; told after {@link results}. */
  get flips(): Listenable<ServerCheckState> {
    return this.#flips;
  }

  /** Nothing to do: checks start as targets are set. */
  async start(): Promise<void> {}

  async stop(deadline: number): Promise<void> {
    for (const owner of [...this.#owned.keys()]) this.set(owner, []);
    await settledBy(this.#clock, deadline, this.#ending);
  }

  /**
   * Says which targets of one owner, such as a backend, are to be checked from now on; those of others stay, so that a
   * change costs no more than what it is about. What is checked already in the same way goes on undisturbed. A new
   * server is up, and its first failure takes it down; one of which only the check's settings changed stays up or
   * down; a target that joins a running check has that check's state. Tells no event: see {@link state}.
   */
  set(owner: string, targets: Iterable<ServerCheckTarget>): void {
    const all = [...targets];
    const wanted = new Set(all.map(({ id }) => id));
    this.change(
      owner,
      all,
      [...(this.#owned.get(owner) ?? [])].filter((id) => !wanted.has(id)),
    );
  }

  /** The same for those targets of an owner that are new or not as they were, and for ids that are no targets. */
  change(owner: string, targets: Iterable<ServerCheckTarget>, gone: Iterable<string>): void {
    const left: (readonly [key: string, id: string])[] = [];
    const owned = this.#owned.get(owner) ?? new Set<string>();
    for (const target of targets) {
      owned.add(target.id);
      const known = this.#targets.get(target.id);
      if (known && isSame(known.target, target)) continue;
      const key = checkKey(target);
      this.#targets.set(target.id, { target, key });
      if (known?.key === key) continue;
      const before = known && isSameServer(known.target, target) ? this.#checks.get(known.key) : undefined;
      this.#join(key, target, before?.check.facts.up ?? true);
      if (known) left.push([known.key, target.id]);
    }
    for (const id of gone) {
      const known = this.#targets.get(id);
      if (!owned.delete(id) || !known) continue;
      this.#targets.delete(id);
      left.push([known.key, id]);
    }
    if (owned.size > 0) this.#owned.set(owner, owned);
    else this.#owned.delete(owner);
    // Last, so that a check which only passes from one target to another is not interrupted.
    for (const [key, id] of left) this.#leave(key, id);
  }

  /** What is known of a target; undefined if it is not checked. */
  state(id: string): ServerCheckState | undefined {
    const found = this.#find(id);
    return found && { ...found.check.facts, id, flipped: false };
  }

  /** Checks a target now instead of when it is due, for when its connections fail. Others' ids do nothing. */
  checkNow(id: string): void {
    this.#find(id)?.check.checkNow();
  }

  #find(id: string) {
    const target = this.#targets.get(id);
    return target && this.#checks.get(target.key);
  }

  #join(key: string, target: ServerCheckTarget, up: boolean): void {
    const running = this.#checks.get(key);
    if (running) {
      running.ids.add(target.id);
      return;
    }
    const ids = new Set([target.id]);
    const check = new ServerCheck(target, {
      clock: this.#clock,
      random: this.#random,
      slots: this.#slots,
      up,
      onResult: (facts, flipped) => this.#tell(ids, facts, flipped),
    });
    this.#checks.set(key, { check, ids });
    check.start();
  }

  #leave(key: string, id: string): void {
    const left = this.#checks.get(key);
    left?.ids.delete(id);
    if (!left || left.ids.size > 0) return;
    this.#checks.delete(key);
    const ending = left.check.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #tell(ids: ReadonlySet<string>, facts: ServerCheckFacts, flipped: boolean): void {
    for (const id of [...ids]) {
      // A listener may have taken it away meanwhile.
      if (!ids.has(id)) continue;
      const state = { ...facts, id, flipped };
      this.#results.emit(state);
      if (flipped) this.#flips.emit(state);
    }
  }
}

/** Whether nothing has changed. Settings are told apart by their object: configurations are frozen. */
function isSame(a: ServerCheckTarget, b: ServerCheckTarget): boolean {
  return (
    isSameServer(a, b) &&
    a.check === b.check &&
    a.httpchk === b.httpchk &&
    a.timeout === b.timeout &&
    sameTls(a.tls, b.tls)
  );
}

/** Whatever it is checked by. */
function isSameServer(a: ServerCheckTarget, b: ServerCheckTarget): boolean {
  return a.address === b.address && a.port === b.port;
}

/** Targets with the same key have the same results. */
function checkKey({ address, port, check, httpchk, tls, timeout }: ServerCheckTarget): string {
  const { inter, fall, rise } = check;
  const how = [httpchk ?? null, tls ?? null, timeout ?? null];
  return JSON.stringify([address, check.port ?? port, inter, fall, rise, ...how]);
}
