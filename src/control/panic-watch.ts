import type { Member } from '../balance/members.ts';
import { isPanic, strengthOf } from '../balance/panic.ts';
import { Outage } from './outage.ts';

/** A change into a panic, or out of one. */
export interface PanicChange {
  readonly on: boolean;
  readonly why: string;
}

/** Whether a backend is in a panic, how often it was, and for how long. */
export class PanicWatch {
  readonly #calm: Outage;

  /** @param now clock ms, as all below */
  constructor(now: number) {
    this.#calm = new Outage(true, now);
  }

  get on(): boolean {
    return !this.#calm.read(0).up;
  }

  /** @returns undefined unless that is a change */
  judge(members: Iterable<Member>, threshold: number, now: number): PanicChange | undefined {
    const strength = strengthOf(members);
    const on = isPanic(strength, threshold);
    if (!this.#calm.record(!on, now)) return undefined;
    const { up, usable } = strength;
    const bound = on ? `panic-threshold ${threshold}%` : threshold === 0 ? 'no panic-threshold any more' : '';
    return { on, why: `${up} of ${usable} servers are up${bound && `, ${bound}`}` };
  }

  read(now: number): {
    readonly active: boolean;
    readonly since: number;
    readonly entered: number;
  } {
    const { up, since, downs } = this.#calm.read(now);
    return { active: !up, since, entered: downs };
  }
}
