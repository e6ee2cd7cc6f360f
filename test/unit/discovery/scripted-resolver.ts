import { serverId } from '../../../src/balance/server.ts';
import { VaneError } from '../../../src/core/errors.ts';
import type { Endpoint, Excluded, Resolution, Resolver } from '../../../src/discovery/resolution.ts';

/** One look-up under way: the test says how it ends. */
export interface Asked {
  readonly name: string;
  readonly port: number | undefined;
  readonly signal: AbortSignal;
  readonly last: readonly Endpoint[];
  answer(resolution: Resolution): void;
}

/** A source whose every answer is the test's. */
export class ScriptedResolver implements Resolver {
  readonly id: string;
  /** Every look-up so far. */
  readonly asked: Asked[] = [];
  /** Answers at once where it gives one; else the test answers through {@link asked}. */
  script: ((nth: number) => Resolution | undefined) | undefined;
  readonly #watchers = new Set<() => void>();

  constructor(id = 'corp', script?: (nth: number) => Resolution | undefined) {
    this.id = id;
    this.script = script;
  }

  resolve(
    name: string,
    port: number | undefined,
    signal: AbortSignal,
    last: readonly Endpoint[],
  ): Promise<Resolution> {
    const { promise, resolve } = Promise.withResolvers<Resolution>();
    this.asked.push({ name, port, signal, last, answer: resolve });
    const scripted = this.script?.(this.asked.length);
    if (scripted) resolve(scripted);
    return promise;
  }

  watch(_name: string, fn: () => void): () => void {
    const watcher = () => fn();
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  /** Says that something changed. */
  notify(): void {
    for (const watcher of this.#watchers) watcher();
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** Answers the latest look-up. */
  answer(resolution: Resolution): void {
    this.asked.at(-1)?.answer(resolution);
  }
}

export function endpoint(address: string, port = 80, more: Partial<Endpoint> = {}): Endpoint {
  return { address, port, weight: 1, priority: 0, name: serverId(address, port), ...more };
}

/** `10.0.0.n:80` for every n. */
export function good(...hosts: number[]): Resolution {
  return { ok: true, endpoints: hosts.map((n) => endpoint(`10.0.0.${n}`)), excluded: [] };
}

export function excluding(...excluded: Excluded[]): Resolution {
  return { ok: true, endpoints: [], excluded };
}

export const empty = good();

export function failed(message = 'nobody answers'): Resolution {
  return { ok: false, error: new VaneError('RESOLVE_TIMEOUT', message) };
}
