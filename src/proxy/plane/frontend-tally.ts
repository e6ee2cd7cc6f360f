import type { FrontendCounters } from './counters.ts';
import { Rate } from './rate.ts';
import { ResponseTally, SessionTally } from './tally.ts';

/** What a frontend counts, over all its listeners. */
export class FrontendTally {
  /** One session per connection in both modes, as in HAProxy. */
  readonly sessions = new SessionTally();
  readonly responses = new ResponseTally();
  readonly connections = new Rate();
  readonly requests = new Rate();
  dreq = 0;
  ereq = 0;
  reqTot = 0;
  connTot = 0;
  dcon = 0;
  intercepted = 0;
  sslFailedHandshake = 0;

  read(now: number): Omit<FrontendCounters, 'name' | 'mode' | 'slim'> {
    const { dreq, ereq, reqTot, connTot, dcon, intercepted, sslFailedHandshake } = this;
    return {
      ...this.sessions.read(now),
      ...this.responses.read(),
      ...{ dreq, ereq, reqTot, connTot, dcon, intercepted, sslFailedHandshake },
      reqRate: this.requests.read(now),
      reqRateMax: this.requests.max,
      connRate: this.connections.read(now),
      connRateMax: this.connections.max,
    };
  }
}
