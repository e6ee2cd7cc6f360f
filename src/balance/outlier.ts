import type { OutlierConfig } from '../config/runtime/backends.ts';

/** Why a server gets no new work for a while: connections to it fail, it fails requests, or it answers none. */
export type OutlierCause = 'connect' | 'errors' | 'hung';

/** What one piece of work has shown of its server; `unclear`: it was ended by somebody else. */
export type Evidence = 'good' | 'unclear' | 'connect-failed' | 'failed';

export interface OutlierChange {
  readonly id: string;
  readonly change: 'ejected' | 'returned';
  readonly cause: OutlierCause;
  readonly why: string;
  /** Until a trial may tell more, ms; 0 for one that returns. */
  readonly forMs: number;
}

/** Until the first trial, ms, and at most. A refused connection costs a trial nothing but another try. */
const FIRST_MS = { connect: 1_000, hung: 1_000 } as const;
const LONGEST_MS = { connect: 5_000, hung: 30_000 } as const;
/** Ejections for errors grow up to so many times the first (as Envoy's max_ejection_time). */
const LONGEST_TIMES = 10;
/** Of those that could be chosen, how many may be out as hung, percent: whatever holds all of them up is not theirs. */
const HUNG_MAX = 50;

interface Row {
  /** In a row. */
  errors: number;
  /** Of late; forgotten after a time without any. */
  ejections: number;
  out: Out | undefined;
  /** Clock ms of its last return. */
  backAt: number;
}

interface Out {
  readonly cause: OutlierCause;
  /** Clock ms from which one piece of work at a time may try it. */
  until: number;
  /** One does. */
  onTrial: boolean;
}

/**
 * Which servers of a backend get no new work for what work has met at them (Envoy's outlier detection, and what nginx's
 * max_fails does). Each that is out is tried again after a time that grows, by one piece of work at a time, and
 * returns with the first that goes well. Never are all out. Times are clock ms.
 */
export class Outliers {
  #rules: OutlierConfig;
  /** Of servers that something has been wrong with. */
  readonly #rows = new Map<string, Row>();
  #out = 0;

  constructor(rules: OutlierConfig) {
    this.#rules = rules;
  }

  set rules(rules: OutlierConfig) {
    this.#rules = rules;
  }

  /** Whether any is out. */
  get any(): boolean {
    return this.#out > 0;
  }

  isOut(id: string): boolean {
    return this.#rows.get(id)?.out !== undefined;
  }

  /** Whether it may have new work: it is not out, or a trial is due. */
  admits(id: string, now: number): boolean {
    const out = this.#rows.get(id)?.out;
    return !out || (!out.onTrial && now >= out.until);
  }

  /** It is given work. True: that is a trial, to be told of when it is over. */
  begin(id: string, now: number): boolean {
    const out = this.#rows.get(id)?.out;
    if (!out || out.onTrial || now < out.until) return false;
    out.onTrial = true;
    return true;
  }

  /**
   * Work on it has ended.
   * @param chosen how many servers there are to choose from, this one included
   */
  record(
    id: string,
    evidence: Evidence,
    trial: boolean,
    now: number,
    chosen: number,
  ): OutlierChange | undefined {
    const row = this.#rows.get(id);
    if (evidence === 'good') return row && this.#good(id, row, trial, now);
    if (trial && row?.out) return this.#tried(row.out, row, evidence, now);
    if (evidence === 'unclear' || row?.out) return undefined;
    if (evidence === 'connect-failed') {
      return this.#eject(id, 'connect', 'a connection to it failed', now, chosen);
    }
    const { errors } = this.#rules;
    if (errors === undefined) return undefined;
    const known = this.#row(id);
    known.errors++;
    if (known.errors < errors) return undefined;
    return this.#eject(id, 'errors', `${known.errors} errors in a row`, now, chosen);
  }

  /** It has had work for so long and answers none. */
  hung(id: string, forMs: number, pending: number, now: number, chosen: number): OutlierChange | undefined {
    if (this.isOut(id)) return undefined;
    const why = `no answer for ${Math.round(forMs)} ms, ${pending} pending`;
    return this.#eject(id, 'hung', why, now, chosen);
  }

  /** What was known of it does not hold any more: it is gone, or another word has been said about it. */
  forget(id: string): void {
    if (this.#rows.get(id)?.out) this.#out--;
    this.#rows.delete(id);
  }

  clear(): void {
    this.#rows.clear();
    this.#out = 0;
  }

  #good(id: string, row: Row, trial: boolean, now: number): OutlierChange | undefined {
    const { out } = row;
    row.errors = 0;
    if (!out) {
      // It has been well for as long as it would be sent away for the next time.
      if (now - row.backAt > this.#time('errors', row.ejections + 1)) this.#rows.delete(id);
      return undefined;
    }
    // What was begun before it was sent away for its errors says nothing of how it is now.
    if (out.cause === 'errors' && !trial) return undefined;
    row.out = undefined;
    row.backAt = now;
    this.#out--;
    return { id, change: 'returned', cause: out.cause, why: 'it has answered', forMs: 0 };
  }

  #tried(out: Out, row: Row, evidence: Evidence, now: number): undefined {
    out.onTrial = false;
    if (evidence !== 'unclear') row.ejections++;
    out.until = now + this.#time(out.cause, row.ejections);
  }

  #eject(
    id: string,
    cause: OutlierCause,
    why: string,
    now: number,
    chosen: number,
  ): OutlierChange | undefined {
    if (this.#out >= this.#most(cause, chosen)) return undefined;
    const row = this.#row(id);
    row.errors = 0;
    row.ejections++;
    const forMs = this.#time(cause, row.ejections);
    row.out = { cause, until: now + forMs, onTrial: false };
    this.#out++;
    return { id, change: 'ejected', cause, why, forMs };
  }

  /** How many may be out when there are so many to choose from: at least one, never all. */
  #most(cause: OutlierCause, chosen: number): number {
    const percent = cause === 'connect' ? 100 : cause === 'hung' ? HUNG_MAX : this.#rules.max;
    return Math.min(chosen - 1, Math.max(1, Math.floor((chosen * percent) / 100)));
  }

  #time(cause: OutlierCause, ejections: number): number {
    const { time } = this.#rules;
    if (cause === 'errors') return time * Math.min(LONGEST_TIMES, ejections);
    return Math.min(LONGEST_MS[cause], FIRST_MS[cause] * 2 ** Math.min(10, ejections - 1));
  }

  #row(id: string): Row {
    const known = this.#rows.get(id);
    if (known) return known;
    const row: Row = { errors: 0, ejections: 0, out: undefined, backAt: 0 };
    this.#rows.set(id, row);
    return row;
  }
}
