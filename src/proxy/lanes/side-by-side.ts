import type { VaneError } from '../../core/errors.ts';

/** The attempts at one request that are under way: one, or two side by side. */
export class SideBySide<A extends { cancel(reason: VaneError): void }> {
  #first: A | undefined;
  #second: A | undefined;

  /** The one that was made first; once that has ended, the other. */
  get first(): A | undefined {
    return this.#first;
  }

  get isDivided(): boolean {
    return this.#second !== undefined;
  }

  add(attempt: A): void {
    if (this.#first) this.#second = attempt;
    else this.#first = attempt;
  }

  delete(attempt: A): void {
    if (attempt === this.#first) this.#first = this.#second;
    else if (attempt !== this.#second) return;
    this.#second = undefined;
  }

  /** The first one last: with it the request is over. */
  cancel(reason: VaneError): void {
    this.#second?.cancel(reason);
    this.#first?.cancel(reason);
  }
}
