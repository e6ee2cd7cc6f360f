import type { ServerFacts } from './state.ts';

/** How long an operator's word outlives the server it is about, ms: a restart of it, or of its host. */
export const REMEMBERED_MS = 3_600_000;
/** Servers gone that are remembered at most; the longest gone is forgotten first. */
const MOST = 1_000;

/**
 * What operators have said of servers that are gone since: one that was taken out of use is not to be back at work
 * just because its registration had lapsed for a moment.
 */
export class RememberedModes {
  /** The longest gone first. */
  readonly #gone = new Map<string, { readonly operator: ServerFacts['operator']; readonly until: number }>();

  /** A server is gone. That it was ready is not worth remembering. */
  remember(id: string, operator: ServerFacts['operator'], now: number): void {
    if (operator.mode === 'ready') return;
    this.#gone.set(id, { operator, until: now + REMEMBERED_MS });
    for (const [oldest, { until }] of this.#gone) {
      if (until > now && this.#gone.size <= MOST) break;
      this.#gone.delete(oldest);
    }
  }

  /** Something else has been said of a server that is gone. */
  forget(id: string): void {
    this.#gone.delete(id);
  }

  /** A server is back: what holds for it, if anything is remembered. */
  take(id: string, now: number): ServerFacts['operator'] | undefined {
    const remembered = this.#gone.get(id);
    this.#gone.delete(id);
    return remembered && remembered.until > now ? remembered.operator : undefined;
  }
}
