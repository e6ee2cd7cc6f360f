import { RecentQuantile } from '../../balance/recent-quantile.ts';
import type { HedgeConfig } from '../../config/runtime/backends.ts';

/** When a request of a backend that is slow to be answered goes to a second server, and how often one did (`hedge`). */
export class Hedges {
  #config: HedgeConfig | undefined;
  #times: RecentQuantile | undefined;
  sent = 0;
  /** Those whose answer the client got. */
  won = 0;

  constructor(config: HedgeConfig | undefined) {
    this.config = config;
  }

  /** Undefined: none are sent. What was measured stays where it is still asked for. */
  set config(config: HedgeConfig | undefined) {
    this.#config = config;
    if (!config) this.#times = undefined;
    else if (this.#times?.share !== config.quantile) this.#times = new RecentQuantile(config.quantile);
  }

  get on(): boolean {
    return this.#config !== undefined;
  }

  /** ms that an answer is waited for before; undefined: none is sent, or it is not known yet what is slow. */
  get delay(): number | undefined {
    const usual = this.#times?.value;
    return usual === undefined ? undefined : Math.max(this.#config?.least ?? 0, usual);
  }

  /**
   * An answer has come after so many ms, or of the second server: then the first has taken that long at least. Left
   * out, slow answers would be missing, and less and less would be taken for slow.
   */
  answered(ms: number, now: number): void {
    this.#times?.add(ms, now);
  }
}
