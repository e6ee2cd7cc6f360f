import type { NameserversConfig } from '../config/runtime/resolvers.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import type { VaneError } from '../core/errors.ts';
import {
  afterAnswer,
  afterFailure,
  answeredServers,
  type HeldName,
  heldAnswer,
  heldFailure,
  heldNameOf,
  nextExpiry,
  withoutExpired,
} from './held-name.ts';
import type { Endpoint, Resolution, Resolver } from './resolution.ts';

/** How one look-up ended; `ttl`: ms that the shortest-lived part of an answer is good for. */
export type LookUp = Resolution & { readonly ttl?: number | undefined };

export type Ask = (
  name: string,
  port: number | undefined,
  signal: AbortSignal,
  last: readonly Endpoint[],
) => Promise<LookUp>;

export type HoldRules = Pick<NameserversConfig, 'hold' | 'ttl' | 'timeoutResolve'>;

/** One name with one port. */
interface Known {
  held: HeldName;
  /** When the last answer was given, if it had servers, and what was missing in it. */
  answer: { readonly at: number; readonly gap: VaneError | undefined } | undefined;
  cancelTimer: Cancel;
}

/** A name that somebody watches: what is known of it lasts as long as that. */
interface Watched {
  readonly listeners: Set<() => void>;
  readonly ports: Map<number | undefined, Known>;
}

/**
 * A resolver that puts the holds of its section between look-ups and whoever follows a name. When a hold runs out it
 * asks for another look-up, and that decides, whichever way it ends. Holds belong to names that are watched; a name
 * that nobody watches is looked up as if nothing were known but what the asker says.
 */
export function heldNames(id: string, rules: HoldRules, clock: Clock, ask: Ask): Resolver {
  return new HeldNames(id, rules, clock, ask);
}

class HeldNames implements Resolver {
  readonly id: string;
  readonly #rules: HoldRules;
  readonly #clock: Clock;
  readonly #ask: Ask;
  readonly #watched = new Map<string, Watched>();

  constructor(id: string, rules: HoldRules, clock: Clock, ask: Ask) {
    this.id = id;
    this.#rules = rules;
    this.#clock = clock;
    this.#ask = ask;
  }

  watch(name: string, fn: () => void): Cancel {
    const watched = this.#watched.get(name) ?? { listeners: new Set(), ports: new Map() };
    this.#watched.set(name, watched);
    // The same function may watch twice.
    const listener = () => fn();
    watched.listeners.add(listener);
    return () => {
      if (!watched.listeners.delete(listener) || watched.listeners.size > 0) return;
      for (const { cancelTimer } of watched.ports.values()) cancelTimer();
      this.#watched.delete(name);
    };
  }

  async resolve(
    name: string,
    port: number | undefined,
    signal: AbortSignal,
    last: readonly Endpoint[],
  ): Promise<Resolution> {
    const known = this.#known(name, port, last);
    const again = this.#validStill(known, name);
    if (again) return again;
    const lookUp = await this.#ask(name, port, signal, answeredServers(known.held));
    // Given up by whoever asked: that says nothing about the name.
    if (signal.aborted && !lookUp.ok) return lookUp;
    const { hold } = this.#rules;
    const now = this.#clock.now();
    known.held = lookUp.ok
      ? afterAnswer(known.held, lookUp, hold, now)
      : afterFailure(known.held, lookUp.error, hold, now);
    const resolution = lookUp.ok
      ? heldAnswer(known.held, lookUp.gap, name)
      : heldFailure(known.held, lookUp.error);
    known.answer = lookUp.ok && lookUp.endpoints.length > 0 ? { at: now, gap: lookUp.gap } : undefined;
    this.#arm(name, port, known);
    const lookAgain = this.#lookAgain(lookUp);
    return lookAgain === undefined ? resolution : { ...resolution, lookAgain };
  }

  #known(name: string, port: number | undefined, last: readonly Endpoint[]): Known {
    const ports = this.#watched.get(name)?.ports;
    const known = ports?.get(port);
    if (known) return known;
    const fresh = { held: heldNameOf(last, this.#clock.now()), answer: undefined, cancelTimer: () => {} };
    ports?.set(port, fresh);
    return fresh;
  }

  /**
   * The last answer once more while `hold valid` lasts, without the servers whose time is over by now. Whoever wanted
   * a new one gets it when that is over.
   */
  #validStill(known: Known, name: string): Resolution | undefined {
    const now = this.#clock.now();
    const { answer } = known;
    const lookAgain = (answer?.at ?? now) + this.#rules.hold.valid - now;
    if (!answer || lookAgain <= 0) return undefined;
    known.held = withoutExpired(known.held, now);
    return { ...heldAnswer(known.held, answer.gap, name), answeredAt: answer.at, lookAgain };
  }

  #arm(name: string, port: number | undefined, known: Known): void {
    known.cancelTimer();
    known.cancelTimer = () => {};
    const watched = this.#watched.get(name);
    const at = nextExpiry(known.held);
    const now = this.#clock.now();
    // Somebody may have stopped watching during the look-up. What is due already was decided just now.
    if (watched?.ports.get(port) !== known || at === undefined || at <= now) return;
    known.cancelTimer = this.#clock.after(at - now, () => {
      for (const listener of watched.listeners) listener();
    });
  }

  #lookAgain(lookUp: LookUp): number | undefined {
    const { ttl, timeoutResolve } = this.#rules;
    if (!ttl) return undefined;
    if (!lookUp.ok || lookUp.ttl === undefined || lookUp.endpoints.length === 0) return timeoutResolve;
    return Math.min(Math.max(lookUp.ttl, ttl.min), ttl.max);
  }
}
