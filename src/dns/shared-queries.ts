/**
 * Has everyone who wants the same at the same time wait for one piece of work. It is ended when nobody waits any
 * more, or by {@link abortAll}.
 */
export class SharedQueries<T> {
  readonly #running = new Map<string, Shared<T>>();

  /**
   * Joins what is running under this key, or starts it. Rejects with the signal's reason as soon as that aborts,
   * whatever becomes of the work.
   */
  run(key: string, signal: AbortSignal, start: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const shared = this.#running.get(key) ?? this.#start(key, start);
    shared.waiting += 1;
    return new Promise<T>((resolve, reject) => {
      let waits = true;
      const leave = () => {
        if (waits) shared.waiting -= 1;
        waits = false;
        signal.removeEventListener('abort', onAbort);
      };
      const onAbort = () => {
        leave();
        reject(signal.reason);
        if (shared.waiting > 0) return;
        this.#forget(key, shared);
        shared.ended.abort(signal.reason);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      shared.result.finally(leave).then(resolve, reject);
    });
  }

  abortAll(reason: unknown): void {
    for (const { ended } of this.#running.values()) ended.abort(reason);
  }

  #start(key: string, start: (signal: AbortSignal) => Promise<T>): Shared<T> {
    const ended = new AbortController();
    const shared: Shared<T> = { ended, waiting: 0, result: start(ended.signal) };
    this.#running.set(key, shared);
    const forget = () => this.#forget(key, shared);
    // Failures are told to those who wait.
    shared.result.then(forget, forget);
    return shared;
  }

  #forget(key: string, shared: Shared<T>): void {
    if (this.#running.get(key) === shared) this.#running.delete(key);
  }
}

interface Shared<T> {
  readonly ended: AbortController;
  readonly result: Promise<T>;
  waiting: number;
}
