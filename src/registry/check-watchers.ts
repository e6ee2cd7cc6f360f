import type { Cancel } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { fold } from './fold.ts';
import type { Effect } from './tables.ts';

type Ids = ReadonlySet<string> | undefined;

/** Those who look after the checks of a node, and so want to know which of many have changed. */
export class CheckWatchers {
  readonly #nodes = new Map<string, Emitter<Ids>>();
  readonly #onError: (error: unknown) => void;

  /** `onError` hears of listeners that throw. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  on(node: string, fn: (ids: Ids) => void): Cancel {
    const key = fold(node);
    const emitter = this.#nodes.get(key) ?? new Emitter<Ids>(this.#onError);
    this.#nodes.set(key, emitter);
    const cancel = emitter.on(fn);
    return () => {
      cancel();
      if (emitter.size === 0 && this.#nodes.get(key) === emitter) this.#nodes.delete(key);
    };
  }

  tell(effects: readonly Effect[]): void {
    if (this.#nodes.size === 0) return;
    const changed = new Map<Emitter<Ids>, Set<string>>();
    for (const effect of effects) {
      if (effect.table !== 'check') continue;
      const emitter = this.#nodes.get(fold(effect.rows.node.node));
      if (!emitter) continue;
      const ids = changed.get(emitter) ?? new Set();
      for (const check of [effect.before, effect.after]) if (check) ids.add(check.id);
      changed.set(emitter, ids);
    }
    for (const [emitter, ids] of changed) emitter.emit(ids);
  }

  tellAll(): void {
    for (const emitter of [...this.#nodes.values()]) emitter.emit(undefined);
  }
}
