import type { Cancel } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';

/** Listeners by topic. A topic is there only while someone listens, so names asked for by strangers leave nothing. */
export class Topics {
  readonly #topics = new Map<string, Emitter<void>>();
  readonly #onError: (error: unknown) => void;

  /** `onError` hears of listeners that throw; they never keep others from being called. */
  constructor(onError: (error: unknown) => void) {
    this.#onError = onError;
  }

  on(topic: string, fn: () => void): Cancel {
    const emitter = this.#topics.get(topic) ?? new Emitter<void>(this.#onError);
    this.#topics.set(topic, emitter);
    const cancel = emitter.on(fn);
    return () => {
      cancel();
      if (emitter.size === 0 && this.#topics.get(topic) === emitter) this.#topics.delete(topic);
    };
  }

  emit(topics: Iterable<string>): void {
    for (const topic of topics) this.#topics.get(topic)?.emit();
  }

  emitAll(): void {
    this.emit([...this.#topics.keys()]);
  }

  /** Topics that someone listens to. */
  get size(): number {
    return this.#topics.size;
  }
}
