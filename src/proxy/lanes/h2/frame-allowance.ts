/** What a client may send at once that is neither head nor body of a request, octets. */
const AT_ONCE = 1_048_576;
/** And for every second that its connection has lasted: some hundred small frames. */
const PER_SECOND = 16_384;
/** For every octet of requests: enough for bodies in frames of 18 octets, each with 9 of its own. */
const PER_OCTET_IN = 0.5;
/** For every octet sent to it, which it acknowledges by window updates: twice 13 octets for each full frame are fewer. */
const PER_OCTET_OUT = 0.01;

/** What went over a connection since its beginning, octets. */
export interface Traffic {
  readonly received: number;
  readonly sent: number;
  /** Heads and bodies of requests, as they were received. */
  readonly requests: number;
}

const NOTHING: Traffic = { received: 0, sent: 0, requests: 0 };

/**
 * How much a client may send beside its requests (HAProxy: tune.h2.fe.glitches-threshold): pings, settings, window
 * updates and all that frames cost themselves. Nobody sees these frames one by one, but they make work, and those of a
 * body in tiny pieces make a hundred octets here of every one of it.
 */
export class FrameAllowance {
  #left = AT_ONCE;
  #at: number;
  #before = NOTHING;

  /** @param now clock ms */
  constructor(now: number) {
    this.#at = now;
  }

  /**
   * Takes what was sent since it was last called.
   * @returns false: it was too much
   */
  take(traffic: Traffic, now: number): boolean {
    const { received, sent, requests } = this.#before;
    const ofRequests = traffic.requests - requests;
    // Heads are compressed: there may be less on the wire than they count.
    const beside = Math.max(0, traffic.received - received - ofRequests);
    const earned =
      ((now - this.#at) / 1000) * PER_SECOND +
      ofRequests * PER_OCTET_IN +
      (traffic.sent - sent) * PER_OCTET_OUT;
    this.#left = Math.min(AT_ONCE, this.#left + earned - beside);
    this.#at = now;
    this.#before = traffic;
    return this.#left >= 0;
  }
}
