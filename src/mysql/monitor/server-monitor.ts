import type { Cancel, Clock } from '../../core/clock.ts';
import type { KilledCounts, Orphan } from '../endpoint/orphans.ts';
import type { ProbeOutcome } from '../failover/server-facts.ts';
import { failureOf } from './failure.ts';
import { type LoginTarget, MonitorSession } from './login.ts';

export interface MonitorTiming {
  /** Between two probes, ms. */
  readonly interval: number;
  /** Of one probe, whatever it waits for. */
  readonly timeout: number;
}

export interface ServerMonitorOptions extends MonitorTiming {
  readonly target: LoginTarget;
  readonly clock: Clock;
  readonly onOutcome: (outcome: ProbeOutcome) => void;
  /** The server had shut this host out, and has been made to let it in again. */
  readonly onUnblocked?: () => void;
}

/** When something looks wrong the next probe comes this soon, ms. */
const RETRY_MS = 200;
/** A session that lives says nothing about whether another would be let in: so a new one is tried this often, ms. */
const FRESH_LOGIN_MS = 10_000;

/**
 * Asks one server how it is, again and again: in a session that stays open, and now and then in a new one. Each probe
 * has one deadline for all that it does, the driver's own timer being over with the first byte that comes.
 */
export class ServerMonitor {
  readonly #options: ServerMonitorOptions;
  #session: MonitorSession | undefined;
  #loggedInAt = 0;
  #timer: Cancel = () => {};
  /** Ends the probe under way as failed. */
  #giveUp: ((error: Error) => void) | undefined;
  #lastBegun = Number.NEGATIVE_INFINITY;
  #again = false;
  #stopped = false;

  constructor(options: ServerMonitorOptions) {
    this.#options = options;
  }

  start(): void {
    void this.#probe();
  }

  /** Probes now, or right after the probe under way; of many calls one counts, as failing clients come by the hundred. */
  probeNow(): void {
    if (this.#stopped) return;
    if (this.#giveUp) {
      this.#again = true;
      return;
    }
    this.#schedule(Math.max(0, this.#lastBegun + RETRY_MS - this.#options.clock.now()));
  }

  /** The same with a new login, as a client was not let in. */
  loginNow(): void {
    this.#loggedInAt = Number.NEGATIVE_INFINITY;
    this.probeNow();
  }

  /** Ends sessions of others; undefined: it could not be asked for that. */
  async kill(orphans: readonly Orphan[]): Promise<KilledCounts | undefined> {
    return this.#session?.kill(orphans).catch(() => undefined);
  }

  stop(): void {
    this.#stopped = true;
    this.#timer();
    if (this.#giveUp) this.#giveUp(new Error('stopped'));
    else this.#session?.quit();
  }

  #schedule(wait: number): void {
    this.#timer();
    this.#timer = this.#options.clock.after(wait, () => void this.#probe());
  }

  async #probe(): Promise<void> {
    this.#timer();
    const { clock, interval } = this.#options;
    this.#lastBegun = clock.now();
    this.#again = false;
    const outcome = await this.#outcome();
    if (this.#stopped) return;
    const wait = this.#again ? Math.min(interval, RETRY_MS) : interval;
    this.#schedule(Math.max(0, this.#lastBegun + wait - clock.now()));
    this.#options.onOutcome(outcome);
  }

  /** Never rejects. */
  async #outcome(): Promise<ProbeOutcome> {
    const { clock, timeout } = this.#options;
    const { promise: overdue, reject } = Promise.withResolvers<never>();
    this.#giveUp = reject;
    // One turn more: if it is this process that was held up, the answer may be there already.
    let cancel = clock.after(timeout, () => {
      cancel = clock.after(0, () => reject(timeoutError(timeout)));
    });
    try {
      return { ok: true, reading: await Promise.race([this.#read(), overdue]) };
    } catch (error) {
      this.#session?.end();
      this.#session = undefined;
      return { ok: false, ...failureOf(error) };
    } finally {
      cancel();
      this.#giveUp = undefined;
    }
  }

  async #read() {
    const { clock } = this.#options;
    const due = clock.now() - this.#loggedInAt >= FRESH_LOGIN_MS;
    const session = due ? undefined : this.#session;
    if (session) {
      try {
        return await session.read();
      } catch {
        // That session is over, for whatever reason; a new one tells whether the server is.
        session.end();
        if (this.#session !== session) throw new Error('the probe is over');
        this.#session = undefined;
      }
    }
    return await this.#readAnew();
  }

  async #readAnew() {
    const former = this.#session;
    try {
      return await this.#login();
    } catch (error) {
      if (!former || failureOf(error).class !== 'blocked') throw error;
      this.#session?.end();
      // This host is shut out, but who is in may have it let in again.
      await former.unblock();
      this.#options.onUnblocked?.();
      return await this.#login();
    } finally {
      former?.quit();
    }
  }

  async #login() {
    const session = new MonitorSession(this.#options.target, this.#options.clock, () => this.#lost(session));
    this.#session = session;
    const reading = await session.read();
    this.#loggedInAt = this.#options.clock.now();
    return reading;
  }

  /** A server that ends a session may be about to end itself. */
  #lost(session: MonitorSession): void {
    if (this.#session !== session || this.#giveUp) return;
    this.#session = undefined;
    session.end();
    this.probeNow();
  }
}

function timeoutError(timeout: number): Error {
  return Object.assign(new Error(`no answer within ${timeout} ms`), { code: 'ETIMEDOUT' });
}
