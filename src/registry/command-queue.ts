import { VaneError } from '../core/errors.ts';

/** The names of what a command reads and writes. */
export type Scope = readonly string[] | 'everything';

interface Waiting {
  readonly scope: () => Scope;
  /** Never rejects. */
  readonly start: () => Promise<void>;
  readonly refuse: (error: VaneError) => void;
}

/** Writers that wait for their answer are not far from this; more at once are turned away. */
const MOST_WAITING = 10_000;

/**
 * Runs commands in the order they came, one at a time for whatever two of them share. Commands that share
 * nothing overlap, so that the store can make many of them durable in one go.
 */
export class CommandQueue {
  readonly #waiting: Waiting[] = [];
  readonly #held = new Set<string>();
  readonly #idle: (() => void)[] = [];
  #running = 0;
  #exclusive = false;

  /**
   * Runs `work` when nothing under way touches its scope, which is asked for at that moment. What `work` does before
   * its first `await` sees what every earlier command on the scope has done. Rejects with STORE_FAILED when too
   * many wait.
   */
  run<T>(scope: () => Scope, work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#waiting.length >= MOST_WAITING) {
        return reject(new VaneError('STORE_FAILED', 'too many changes of the registry are waiting'));
      }
      const start = async () => {
        try {
          resolve(await work());
        } catch (error) {
          reject(error);
        }
      };
      this.#waiting.push({ scope, start, refuse: reject });
      this.#advance();
    });
  }

  /** Resolves when nothing waits or runs. */
  idle(): Promise<void> {
    if (this.#running === 0 && this.#waiting.length === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  /** Turns away what waits; what runs goes on. */
  refuse(error: VaneError): void {
    for (const waiting of this.#waiting.splice(0)) waiting.refuse(error);
    this.#settle();
  }

  #advance(): void {
    for (;;) {
      const [next] = this.#waiting;
      if (!next) break;
      const scope = next.scope();
      if (!this.#free(scope)) return;
      this.#waiting.shift();
      this.#start(next, scope);
    }
    this.#settle();
  }

  #free(scope: Scope): boolean {
    if (this.#running === 0) return true;
    return !this.#exclusive && scope !== 'everything' && !scope.some((name) => this.#held.has(name));
  }

  #start(next: Waiting, scope: Scope): void {
    this.#running += 1;
    if (scope === 'everything') this.#exclusive = true;
    else for (const name of scope) this.#held.add(name);
    next.start().finally(() => {
      this.#running -= 1;
      if (scope === 'everything') this.#exclusive = false;
      else for (const name of scope) this.#held.delete(name);
      this.#advance();
    });
  }

  #settle(): void {
    if (this.#running > 0 || this.#waiting.length > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
