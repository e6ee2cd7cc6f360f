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
  /** By target id: the key of its check, and the server it stands for whatever it is checked by. */
  readonly #targets = new Map<string, { readonly key: string; readonly server: string }>();
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
    this.set([]);
    await settledBy(this.#clock, deadline, this.#ending);
  }

  /**
   * Says what is to be checked from now on, whole. What is checked already in the same way goes on undisturbed.
   * A new server is up, and its first failure takes it down; one of which only the check's settings changed
   * stays up or down; a target that joins a running check has that check's state. Tells no event: see {@link state}.
   */
  set(targets: readonly ServerCheckTarget[]): void {
    const left: (readonly [key: string, id: string])[] = [];
    const wanted = new Set<string>();
    for (const target of targets) {
      wanted.add(target.id);
      const known = this.#targets.get(target.id);
      const next = { key: checkKey(target), server: `${target.address} ${target.port}` };
      if (known?.key === next.key) continue;
      const before = known?.server === next.server ? this.#checks.get(known.key)?.check : undefined;
      this.#targets.set(target.id, next);
      this.#join(next.key, target, before?.facts.up ?? true);
      if (known) left.push([known.key, target.id]);
    }
    for (const [id, { key }] of this.#targets) {
      if (wanted.has(id)) continue;
      this.#targets.delete(id);
      left.push([key, id]);
    }
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

/** Targets with the same key have the same results. */
function checkKey({ address, port, check, httpchk, timeout }: ServerCheckTarget): string {
  const { inter, fall, rise } = check;
  return JSON.stringify([address, check.port ?? port, inter, fall, rise, httpchk ?? null, timeout ?? null]);
}
