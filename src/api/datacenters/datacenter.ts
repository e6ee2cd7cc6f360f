import type { DatacenterConfig } from '../../config/runtime/registry.ts';
import type { DatacenterView } from '../../control/view.ts';
import type { Clock } from '../../core/clock.ts';
import { asVaneError } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { RecentMap } from '../../dns/recent-map.ts';
import { type Asked, type Said, Upstream } from './upstream.ts';

/** What was answered earlier. */
export interface Copy<T> {
  readonly value: T;
  /** ms since. */
  readonly age: number;
}

/** For so long it is taken to be away after it was found so, where there is something else to say, ms. */
const AWAY_FOR = 1_000;

/** Copies of answers for when it is away: so many, and so many bytes; up to twice as much. */
const MAX_COPIES = 2_048;
const MAX_COPY_BYTES = 32 * 1024 * 1024;
const LARGEST_COPY = 4 * 1024 * 1024;
const COPY_OVERHEAD = 300;

/** What Consul says without servers that could answer; and what stands before one says. */
const AWAY_TEXT = /No cluster leader|No known Consul servers|Remote DC has no server/;
const GATEWAY_STATUSES: ReadonlySet<number> = new Set([502, 503, 504]);

/** Another datacenter: asked over its HTTP API, and what it has said remembered for when it is away. */
export class Datacenter {
  readonly config: DatacenterConfig;
  readonly #upstream: Upstream;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #copies = new RecentMap<{ readonly said: Said; readonly at: number }>(MAX_COPIES, MAX_COPY_BYTES);
  #up: boolean | undefined;
  #lastAnswer: number | undefined;
  #awayUntil = Number.NEGATIVE_INFINITY;
  #failures = 0;
  #stale = 0;

  /** @param own the datacenter of this node */
  constructor(config: DatacenterConfig, own: string, clock: Clock, log: Log) {
    this.config = config;
    this.#upstream = new Upstream(config, own, clock);
    this.#clock = clock;
    this.#log = log;
  }

  get view(): DatacenterView {
    const age = this.#lastAnswer === undefined ? undefined : this.#clock.now() - this.#lastAnswer;
    return { name: this.config.name, up: this.#up, failures: this.#failures, stale: this.#stale, age };
  }

  /** It did not answer a moment ago. */
  get isAway(): boolean {
    return this.#clock.now() < this.#awayUntil;
  }

  /**
   * Its answer, whatever the status; kept under `copyAs` where that is given and the answer is one that can be told
   * again. Undefined: it is away. Rejects only with the signal's reason.
   */
  async ask(asked: Asked, copyAs?: string): Promise<Said | undefined> {
    try {
      const said = await this.#upstream.ask(asked);
      if (isAway(said)) return this.#away(`${said.status} ${said.body.toString('utf8', 0, 200)}`);
      this.#answered();
      if (copyAs !== undefined) this.#keep(copyAs, said);
      return said;
    } catch (error) {
      asked.signal?.throwIfAborted();
      const { code, message } = asVaneError(error);
      if (code === 'QUEUE_FULL' || code === 'STOPPING') return undefined;
      return this.#away(message);
    }
  }

  copy(key: string): Copy<Said> | undefined {
    const kept = this.#copies.get(key);
    return kept && { value: kept.said, age: this.#clock.now() - kept.at };
  }

  /** An answer was given in its place. */
  countStale(): void {
    this.#stale++;
  }

  close(): void {
    this.#upstream.close();
  }

  #keep(key: string, said: Said): void {
    const bytes = said.body.length + key.length + COPY_OVERHEAD;
    const tellable = said.status === 200 || (said.status === 404 && 'x-consul-index' in said.headers);
    if (tellable && bytes <= LARGEST_COPY) this.#copies.set(key, { said, at: this.#clock.now() }, bytes);
  }

  #answered(): void {
    const { name } = this.config;
    if (this.#up === false) this.#log.info({ datacenter: name }, 'datacenter answers again');
    this.#up = true;
    this.#lastAnswer = this.#clock.now();
    this.#awayUntil = Number.NEGATIVE_INFINITY;
  }

  #away(error: string): undefined {
    const { name, url } = this.config;
    this.#failures++;
    if (this.#up !== false) {
      const message = 'datacenter is away: what it said last is told instead';
      this.#log.warn({ datacenter: name, url, error }, message);
    }
    this.#up = false;
    this.#awayUntil = this.#clock.now() + AWAY_FOR;
    return undefined;
  }
}

function isAway({ status, body }: Said): boolean {
  if (GATEWAY_STATUSES.has(status)) return true;
  return status === 500 && AWAY_TEXT.test(body.toString('utf8', 0, 200));
}
