import { Average } from './average.ts';
import type { ResponseCounters, WorkCounters } from './counters.ts';
import { Rate } from './rate.ts';

/** Milliseconds of one piece of work; undefined: that phase was not reached. */
export interface WorkTimes {
  readonly queue: number;
  readonly connect: number | undefined;
  readonly response: number | undefined;
  readonly total: number;
}

/** Answers by class. */
export class ResponseTally implements ResponseCounters {
  hrsp1xx = 0;
  hrsp2xx = 0;
  hrsp3xx = 0;
  hrsp4xx = 0;
  hrsp5xx = 0;
  hrspOther = 0;

  add(status: number | undefined): void {
    switch (status === undefined ? 0 : Math.floor(status / 100)) {
      case 1:
        this.hrsp1xx++;
        break;
      case 2:
        this.hrsp2xx++;
        break;
      case 3:
        this.hrsp3xx++;
        break;
      case 4:
        this.hrsp4xx++;
        break;
      case 5:
        this.hrsp5xx++;
        break;
      default:
        this.hrspOther++;
    }
  }

  read(): ResponseCounters {
    const { hrsp1xx, hrsp2xx, hrsp3xx, hrsp4xx, hrsp5xx, hrspOther } = this;
    return { hrsp1xx, hrsp2xx, hrsp3xx, hrsp4xx, hrsp5xx, hrspOther };
  }
}

/** Sessions of a frontend, backend or server: how many are open, were open at once, and came per second. */
export class SessionTally {
  scur = 0;
  smax = 0;
  stot = 0;
  bin = 0;
  bout = 0;
  readonly rate = new Rate();
  #onNone: (() => void) | undefined;

  begin(now: number): void {
    this.scur++;
    this.stot++;
    if (this.scur > this.smax) this.smax = this.scur;
    this.rate.hit(now);
  }

  end(): void {
    this.scur--;
    if (this.scur === 0) this.#onNone?.();
  }

  /** Resolves once no session is open. To be asked once, of something that gets no new ones. */
  none(): Promise<void> {
    if (this.scur === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#onNone = resolve;
    });
  }

  read(now: number) {
    const { scur, smax, stot, bin, bout, rate } = this;
    return { scur, smax, stot, bin, bout, rate: rate.read(now), rateMax: rate.max };
  }
}

/** What backends and servers both count; the queue's length is whoever's who owns the queue. */
export class WorkTally {
  readonly sessions = new SessionTally();
  readonly responses = new ResponseTally();
  qmax = 0;
  econ = 0;
  eresp = 0;
  wretr = 0;
  wredis = 0;
  lbtot = 0;
  reqTot = 0;
  cliAbrt = 0;
  srvAbrt = 0;
  connect = 0;
  reuse = 0;
  lastSession = 0;
  readonly #queue = new Average();
  readonly #connect = new Average();
  readonly #response = new Average();
  readonly #total = new Average();

  time(times: WorkTimes): void {
    this.#queue.add(times.queue);
    if (times.connect !== undefined) this.#connect.add(times.connect);
    if (times.response !== undefined) this.#response.add(times.response);
    this.#total.add(times.total);
  }

  read(now: number, queued: number): WorkCounters {
    const { qmax, econ, eresp, wretr, wredis, lbtot, reqTot, cliAbrt, srvAbrt } = this;
    const { connect, reuse, lastSession } = this;
    return {
      ...this.sessions.read(now),
      ...this.responses.read(),
      ...{ qcur: queued, qmax, econ, eresp, wretr, wredis, lbtot, reqTot, cliAbrt, srvAbrt },
      ...{ connect, reuse, lastSession },
      qtime: this.#queue.mean,
      ctime: this.#connect.mean,
      rtime: this.#response.mean,
      ttime: this.#total.mean,
      qtimeMax: this.#queue.max,
      ctimeMax: this.#connect.max,
      rtimeMax: this.#response.max,
      ttimeMax: this.#total.max,
    };
  }
}
