import type { Members, Transition } from '../balance/members.ts';
import { nextWarmthAt, warmthAt } from '../balance/slow-start.ts';
import type { Clock } from '../core/clock.ts';
import { NextTimer } from './next-timer.ts';

export interface WarmingDeps {
  readonly clock: Clock;
  readonly members: Members;
  /** How long a server takes to its whole share, ms; 0: no time. */
  readonly timeOf: (id: string) => number;
  /** Some servers may have more than before. */
  readonly onStep: () => void;
}

/** The servers of one backend that are in their slow start. */
export class Warming {
  readonly #deps: WarmingDeps;
  readonly #warming = new Map<string, { readonly since: number; readonly time: number }>();
  /** Those that were there from the beginning and have not been let in yet: that is no joining. */
  readonly #first = new Set<string>();
  readonly #timer: NextTimer;

  constructor(deps: WarmingDeps) {
    this.#deps = deps;
    this.#timer = new NextTimer(deps.clock, () => this.#step());
  }

  /**
   * Lets servers that join or are back begin little by little.
   * @param initial what is new has not joined: it was there from the beginning
   */
  note(transitions: readonly Transition[], initial: boolean): void {
    for (const { member, from, to } of transitions) {
      const { id } = member;
      if (initial && from === 'new') {
        if (to !== 'open') this.#first.add(id);
      } else if (to === 'open') this.#opened(id);
      else {
        if (to === 'gone') this.#first.delete(id);
        this.#warming.delete(id);
      }
    }
  }

  stop(): void {
    this.#timer.set(undefined);
    this.#warming.clear();
  }

  #opened(id: string): void {
    const time = this.#first.delete(id) ? 0 : this.#deps.timeOf(id);
    if (time > 0) this.#warming.set(id, { since: this.#deps.clock.now(), time });
    this.#adjust(id);
    this.#arm();
  }

  #adjust(id: string): number {
    const { clock, members } = this.#deps;
    const one = this.#warming.get(id);
    const warmth = one ? warmthAt(one.since, one.time, clock.now()) : 1;
    const adjustment = members.get(id)?.adjustment;
    if (adjustment) members.adjust(id, { ...adjustment, warmth });
    return warmth;
  }

  #arm(): void {
    const now = this.#deps.clock.now();
    const next = [...this.#warming.values()].map(({ since, time }) => nextWarmthAt(since, time, now) ?? now);
    this.#timer.set(next.length === 0 ? undefined : next.reduce((a, b) => Math.min(a, b)));
  }

  #step(): void {
    for (const id of this.#warming.keys()) {
      if (this.#adjust(id) >= 1) this.#warming.delete(id);
    }
    this.#deps.onStep();
    this.#arm();
  }
}
