import { type Evidence, type OutlierChange, Outliers } from '../../balance/outlier.ts';
import { UsualTime } from '../../balance/usual-time.ts';
import type { OutlierConfig } from '../../config/runtime/backends.ts';
import type { LeaseOutcome } from './lease.ts';
import type { LiveServer } from './live-server.ts';

/** How often servers that answer nothing are looked for while there is work, ms. */
const LOOK_MS = 100;
/** A server that answers nothing is not doubted before, ms, nor before so many times what its backend usually takes. */
const HUNG_MS = 500;
const HUNG_TIMES = 4;
/** Answers that say that the server works, though they are 5xx (HAProxy, `observe layer7`). */
const WELL: ReadonlySet<number> = new Set([501, 505]);

/** Keeps new work from servers that fail it, while others do not. */
export class Steering {
  #outliers: Outliers | undefined;
  readonly #usual = new UsualTime();
  readonly #onChange: (change: OutlierChange) => void;
  /** Servers that had answered nothing for too long when they were looked at last, and since when. */
  #suspects: ReadonlyMap<string, number> = new Map();
  #lookAt = 0;
  ejections = 0;

  constructor(config: OutlierConfig | undefined, onChange: (change: OutlierChange) => void) {
    this.#onChange = onChange;
    this.#outliers = config && new Outliers(config);
  }

  set config(config: OutlierConfig | undefined) {
    if (!config) this.#outliers = undefined;
    else if (this.#outliers) this.#outliers.rules = config;
    else this.#outliers = new Outliers(config);
  }

  /** Whether any server is passed over at present. */
  get any(): boolean {
    return this.#outliers?.any ?? false;
  }

  isOut(id: string): boolean {
    return this.#outliers?.isOut(id) ?? false;
  }

  admits(id: string, now: number): boolean {
    return this.#outliers?.admits(id, now) ?? true;
  }

  /** True: the work is a trial. */
  begin(id: string, now: number): boolean {
    return this.#outliers?.begin(id, now) ?? false;
  }

  forget(id: string): void {
    this.#outliers?.forget(id);
  }

  /** Looks for servers that hold work and answer none, if it is time to. */
  look(chosen: readonly LiveServer[], now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_MS;
    const usual = this.#usual.most;
    if (usual === undefined || !this.#outliers) return;
    const limit = Math.max(HUNG_MS, HUNG_TIMES * usual);
    const suspects = new Map<string, number>();
    for (const { id, pending, progressAt } of chosen) {
      const silent = now - progressAt;
      if (pending === 0 || silent <= limit) continue;
      suspects.set(id, progressAt);
      // Looked at twice: if it is this process that was held up, its answers are here by then.
      if (this.#suspects.get(id) !== progressAt) continue;
      this.#tell(this.#outliers.hung(id, silent, pending, now, chosen.length));
    }
    this.#suspects = suspects;
  }

  /** @param chosen how many servers there are to choose from */
  ended(server: LiveServer, outcome: LeaseOutcome, trial: boolean, now: number, chosen: number): void {
    const { responseMs, error } = outcome;
    if (responseMs !== undefined && !error) this.#usual.add(responseMs);
    if (!this.#outliers) return;
    this.#tell(this.#outliers.record(server.id, evidenceOf(outcome), trial, now, chosen));
  }

  #tell(change: OutlierChange | undefined): void {
    if (!change) return;
    if (change.change === 'ejected') this.ejections++;
    this.#onChange(change);
  }
}

/** What a client or we ourselves have ended tells nothing of the server. */
export function evidenceOf({ error, status, connectMs, relayed }: LeaseOutcome): Evidence {
  switch (error?.code) {
    case undefined:
      if (status === undefined) return relayed ? 'good' : 'unclear';
      return status >= 500 && !WELL.has(status) ? 'failed' : 'good';
    case 'CONNECT_REFUSED':
    case 'CONNECT_TIMEOUT':
    case 'CONNECT_FAILED':
      return 'connect-failed';
    case 'UPSTREAM_CLOSED':
    case 'UPSTREAM_TIMEOUT':
      // Of a relay it is known only that there was a connection: it may have been idle.
      return relayed ? 'good' : 'failed';
    case 'UPSTREAM_PROTOCOL':
    case 'UPSTREAM_STATUS':
      return 'failed';
    default:
      return relayed && connectMs !== undefined ? 'good' : 'unclear';
  }
}
