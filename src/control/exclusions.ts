import type { Log } from '../core/log.ts';
import type { Excluded } from '../discovery/resolution.ts';

/** What health and operators say is told where it comes from; an instance nobody could connect to is told here. */
const TOLD_ELSEWHERE = /^(?:critical|in maintenance)\b/;

/** Tells once of each instance that a name has but that cannot be a server, and why. */
export class Exclusions {
  readonly #log: Log;
  readonly #backend: string;
  /** By source, what was told of its last answer. */
  readonly #told = new Map<string, ReadonlySet<string>>();

  constructor(log: Log, backend: string) {
    this.#log = log;
    this.#backend = backend;
  }

  /** Takes what the present answer of one source leaves out, whole. */
  note(source: string, excluded: readonly Excluded[]): void {
    const before = this.#told.get(source);
    const told = new Set<string>();
    for (const { name, address, port, why } of excluded) {
      if (TOLD_ELSEWHERE.test(why)) continue;
      const line = `${name} ${address} ${port} ${why}`;
      told.add(line);
      if (before?.has(line)) continue;
      const fields = { backend: this.#backend, instance: name, address, port, why };
      this.#log.warn(fields, `instance ${name} cannot be a server of backend ${this.#backend}`);
    }
    if (told.size > 0) this.#told.set(source, told);
    else this.#told.delete(source);
  }

  /** Forgets a source that is not followed any more. */
  forget(source: string): void {
    this.#told.delete(source);
  }
}
