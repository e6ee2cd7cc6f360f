import type { Cancel } from './clock.ts';

/** The listening half of an {@link Emitter}: what a room hands out to others. */
export interface Listenable<T> {
  /** Calls `fn` for every later value until the returned function is called. */
  on(fn: (value: T) => void): Cancel;
}

/**
 * One kind of event with any number of listeners, called in the order they came.
 * A listener that throws does not keep the others from hearing: its error goes to `onError`.
 */
export class Emitter<T> implements Listenable<T> {
  readonly #listeners = new Set<(value: T) => void>();
  readonly #onError: (error: unknown) => void;

  constructor(onError: (error: unknown) => void = rethrowLater) {
    this.#onError = onError;
  }

  on(fn: (value: T) => void): Cancel {
    // Wrapped so that the same function subscribed twice is two subscriptions.
    const listener = (value: T) => fn(value);
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  emit(value: T): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(value);
      } catch (error) {
        this.#onError(error);
      }
    }
  }

  get size(): number {
    return this.#listeners.size;
  }
}

/** Makes a listener's error loud (an uncaught exception) without cutting the emit short. */
function rethrowLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
