import type { Clock } from '../core/clock.ts';
import { Emitter, type Listenable } from '../core/emitter.ts';
import { settledBy } from './within.ts';

/** One check under way, and what it knows. */
export interface SharedCheck<Facts> {
  readonly facts: Facts;
  start(): void;
  /** Checks now instead of when it is due. */
  checkNow(): void;
  /** Resolves when a run under way has ended. */
  stop(): Promise<void>;
}

export interface SharedChecksOptions<Target, Facts, Check> {
  readonly clock: Clock;
  /** Targets with the same key have the same results. */
  readonly keyOf: (target: Target) => string;
  /** Nothing has changed. */
  readonly isSame: (a: Target, b: Target) => boolean;
  /** It is the same server, whatever it is checked by: what was known of it holds. */
  readonly isSameServer: (a: Target, b: Target) => boolean;
  /** @param before what was known of the same server, checked in another way */
  readonly begin: (
    target: Target,
    before: Facts | undefined,
    onResult: (facts: Facts, flipped: boolean) => void,
  ) => Check;
}

/** What is known of one target, and whether this very result has changed what is to be done with it. */
export type CheckNews<Facts> = Facts & { readonly id: string; readonly flipped: boolean };

/** Checks of targets that belong to owners: what is to be checked in the same way is checked once for all. */
export class SharedChecks<
  Target extends { readonly id: string },
  Facts extends object,
  Check extends SharedCheck<Facts> = SharedCheck<Facts>,
> {
  readonly #options: SharedChecksOptions<Target, Facts, Check>;
  /** By key, with the ids of the targets each speaks for. */
  readonly #checks = new Map<string, { readonly check: Check; readonly ids: Set<string> }>();
  /** By target id: the target, and the key of its check. */
  readonly #targets = new Map<string, { readonly target: Target; readonly key: string }>();
  /** The ids of the targets of each owner. */
  readonly #owned = new Map<string, Set<string>>();
  readonly #ending = new Set<Promise<void>>();
  readonly #results = new Emitter<CheckNews<Facts>>();
  readonly #flips = new Emitter<CheckNews<Facts>>();

  constructor(options: SharedChecksOptions<Target, Facts, Check>) {
    this.#options = options;
  }

  get results(): Listenable<CheckNews<Facts>> {
    return this.#results;
  }

  get flips(): Listenable<CheckNews<Facts>> {
    return this.#flips;
  }

  async stop(deadline: number): Promise<void> {
    for (const owner of [...this.#owned.keys()]) this.set(owner, []);
    await settledBy(this.#options.clock, deadline, this.#ending);
  }

  set(owner: string, targets: Iterable<Target>): void {
    const all = [...targets];
    const wanted = new Set(all.map(({ id }) => id));
    this.change(
      owner,
      all,
      [...(this.#owned.get(owner) ?? [])].filter((id) => !wanted.has(id)),
    );
  }

  change(owner: string, targets: Iterable<Target>, gone: Iterable<string>): void {
    const { keyOf, isSame, isSameServer } = this.#options;
    const left: (readonly [key: string, id: string])[] = [];
    const owned = this.#owned.get(owner) ?? new Set<string>();
    for (const target of targets) {
      owned.add(target.id);
      const known = this.#targets.get(target.id);
      if (known && isSame(known.target, target)) continue;
      const key = keyOf(target);
      this.#targets.set(target.id, { target, key });
      if (known?.key === key) continue;
      const before = known && isSameServer(known.target, target) ? this.#checks.get(known.key) : undefined;
      this.#join(key, target, before?.check.facts);
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
  state(id: string): CheckNews<Facts> | undefined {
    const found = this.#find(id);
    return found && { ...found.check.facts, id, flipped: false };
  }

  checkNow(id: string): void {
    this.#find(id)?.check.checkNow();
  }

  /** What runs for a target. */
  of(id: string): Check | undefined {
    return this.#find(id)?.check;
  }

  #find(id: string) {
    const target = this.#targets.get(id);
    return target && this.#checks.get(target.key);
  }

  #join(key: string, target: Target, before: Facts | undefined): void {
    const running = this.#checks.get(key);
    if (running) {
      running.ids.add(target.id);
      return;
    }
    const ids = new Set([target.id]);
    const check = this.#options.begin(target, before, (facts, flipped) => this.#tell(ids, facts, flipped));
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

  #tell(ids: ReadonlySet<string>, facts: Facts, flipped: boolean): void {
    for (const id of [...ids]) {
      // A listener may have taken it away meanwhile.
      if (!ids.has(id)) continue;
      const state = { ...facts, id, flipped };
      this.#results.emit(state);
      if (flipped) this.#flips.emit(state);
    }
  }
}
