import type { DialogueCheck, HttpCheck } from '../config/runtime/server-checks.ts';
import type { CheckConfig, OnError, SendProxy, ServerTls } from '../config/runtime/servers.ts';
import type { Clock } from '../core/clock.ts';
import { describeCode } from './check-codes.ts';
import { checkEvery, pauseAfter } from './check-pace.ts';
import { type DialogueTimes, dialogueProbe } from './dialogue.ts';
import { dialogueScript } from './dialogue-checks.ts';
import { httpchkProbe } from './httpchk.ts';
import { ownProxyHead } from './open-connection.ts';
import type { Probe, ProbeResult } from './probe.ts';
import { Runner } from './runner.ts';
import { SLOT_FOR_MS, type Slots } from './slots.ts';
import { RiseFall, type RiseFallStart } from './threshold.ts';

/** One server that the load balancer itself is to check. */
export interface ServerCheckTarget {
  /** `backend/server`, unique. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly check: CheckConfig;
  readonly httpchk: HttpCheck | undefined;
  /** Neither this nor {@link httpchk}: a connection that opens is enough. */
  readonly dialogue?: DialogueCheck | undefined;
  /** How checks speak to it; undefined: in the clear. */
  readonly tls?: ServerTls | undefined;
  /** Checks begin with a head of the PROXY protocol that says they are Vane's own; undefined: they do not. */
  readonly sendProxy?: SendProxy | undefined;
  /**
   * From the opening of the connection to the end of the answer, ms: `timeout check`. Undefined: `inter` is the time for
   * all of it, as in HAProxy.
   */
  readonly timeout: number | undefined;
  /** For the connection to open, beside `timeout`, ms: `timeout connect`, or `inter` where that is shorter. */
  readonly connectTimeout?: number | undefined;
  /** The id whose traffic has a say in its health, so that none but those that track it share this check. */
  readonly observed?: string | undefined;
  /** It is down until its first good check. */
  readonly probeFirst?: boolean | undefined;
}

/** What checks know of a server; a new object after every result. */
export interface ServerCheckFacts {
  readonly up: boolean;
  /** Up, and wants no new work: HAProxy's NOLB, of `http-check disable-on-404`. */
  readonly stopping: boolean;
  /** HAProxy's `status` column: `UP`, `UP 2/3`, `DOWN`, `DOWN 1/2`. */
  readonly position: string;
  /** HAProxy's `check_health` column, of `rise + fall - 1`. */
  readonly health: number;
  readonly rise: number;
  readonly fall: number;
  /** HAProxy's `check_status`: L4OK, L4CON, L4TOUT, L7OK, L7STS, L7RSP, L7TOUT, SOCKERR; INI before the first result. */
  readonly lastCode: string;
  /** `check_code`. */
  readonly httpStatus: number | undefined;
  /** `check_duration`; undefined before the first result. */
  readonly durationMs: number | undefined;
  /** `check_desc`: `Layer4 connection problem`. */
  readonly desc: string;
  /** `last_chk`: what the server or the system said. */
  readonly info: string;
  /** The reason in the words of HAProxy's log: `Layer7 wrong status, code: 503, info: "…", check duration: 2ms`. */
  readonly why: string;
  /** Checks in a row that ended as the last one did, good or bad. */
  readonly row: number;
  /** `chkfail`: checks that failed while the server was up, since this check began. */
  readonly failures: number;
  /** `chkdown`: times this check took the server down. */
  readonly downs: number;
}

export interface ServerCheckOptions {
  readonly clock: Clock;
  readonly random: () => number;
  readonly slots: Slots;
  /** Percent: see HAProxy's `spread-checks`. */
  readonly spread: () => number;
  /** Whether it starts up (one failure from down) or down. */
  readonly up: boolean;
  readonly onResult: (facts: ServerCheckFacts, flipped: boolean) => void;
}

/** Servers are checked soon after they appear; the spread keeps hundreds from being checked at one moment. */
const FIRST_WITHIN_MS = 1000;
/** The same for those that wait for it to get any work. */
const ADMIT_WITHIN_MS = 100;
/** Asked to check at once, it does so at most this often: failing connections come by the thousand. */
const SOONEST_AGAIN_MS = 200;

/** One active check of one address, and its verdict. */
export class ServerCheck {
  readonly #clock: Clock;
  readonly #runner: Runner;
  readonly #riseFall: RiseFall;
  readonly #check: CheckConfig;
  readonly #random: () => number;
  readonly #spread: () => number;
  readonly #onResult: ServerCheckOptions['onResult'];
  #facts: ServerCheckFacts;
  #lastEnded = Number.NEGATIVE_INFINITY;
  #lastOk: boolean | undefined;
  #spreadOut = false;

  constructor(target: Omit<ServerCheckTarget, 'id'>, options: ServerCheckOptions) {
    const { inter } = target.check;
    const { timeout, connectTimeout = inter, probeFirst = false } = target;
    const connect = Math.min(connectTimeout, inter);
    this.#clock = options.clock;
    this.#check = target.check;
    this.#random = options.random;
    this.#spread = options.spread;
    this.#onResult = options.onResult;
    this.#riseFall = new RiseFall(target.check, startOf(options.up, probeFirst));
    this.#facts = {
      ...positionOf(this.#riseFall),
      stopping: false,
      lastCode: 'INI',
      httpStatus: undefined,
      durationMs: undefined,
      desc: describeCode('INI'),
      info: '',
      why: 'not checked yet',
      row: 0,
      failures: 0,
      downs: 0,
    };
    this.#runner = new Runner({
      probe: probeOf(
        target,
        timeout === undefined ? undefined : { clock: options.clock, connect, answer: timeout },
      ),
      interval: (tookMs) => this.#pause(tookMs),
      timeout: timeout === undefined ? inter : connect + timeout,
      firstWithin: Math.min(inter, probeFirst && !options.up ? ADMIT_WITHIN_MS : FIRST_WITHIN_MS),
      clock: options.clock,
      random: options.random,
      slots: options.slots,
      slotFor: SLOT_FOR_MS,
      onResult: (result, durationMs) => this.#take(result, durationMs),
    });
  }

  get facts(): ServerCheckFacts {
    return this.#facts;
  }

  start(): void {
    this.#runner.start();
  }

  /** Checks now instead of when it is due, unless it just has. */
  checkNow(): void {
    if (this.#clock.now() - this.#lastEnded >= SOONEST_AGAIN_MS) this.#runner.runNow();
  }

  /**
   * The work of the server meets errors (HAProxy's `on-error`): counts as a failed check, or as more than one, and it is
   * checked at once.
   */
  observed(onError: OnError, why: string): void {
    if (onError === 'sudden-death') this.#riseFall.allowFailures(2);
    if (onError === 'mark-down') this.#riseFall.allowFailures(1);
    if (onError !== 'fastinter' && this.#riseFall.up) {
      this.#take({ status: 'critical', code: 'HANA', output: why, httpStatus: undefined }, 0);
    }
    this.#runner.runNow();
  }

  /** Resolves when a check under way has ended. */
  stop(): Promise<void> {
    return this.#runner.stop();
  }

  /** From the end of one check to the next: from start to start it is the interval for what is known now. */
  #pause(tookMs: number): number {
    const every = checkEvery(this.#check, this.#riseFall);
    // The first checks come soon and close together: from the second on they are spread over all the time there is.
    if (!this.#spreadOut) {
      this.#spreadOut = true;
      return this.#random() * every;
    }
    return pauseAfter(every, tookMs, this.#spread(), this.#random());
  }

  #take(result: ProbeResult, durationMs: number): void {
    const { up, row, failures, downs, stopping: before } = this.#facts;
    const ok = result.status === 'passing';
    const stopping = result.notFound === true && up;
    // One that is down is not brought up by an answer that says it wants no work.
    const flipped = result.notFound && !up ? false : this.#riseFall.record(ok);
    this.#lastEnded = this.#clock.now();
    this.#facts = {
      ...positionOf(this.#riseFall),
      stopping: stopping || (before && !ok && this.#riseFall.up),
      lastCode: result.code,
      httpStatus: result.httpStatus,
      durationMs,
      desc: describeCode(result.code),
      info: result.output,
      why: whyOf(result, durationMs),
      row: ok === this.#lastOk ? row + 1 : 1,
      failures: failures + (up && !ok ? 1 : 0),
      downs: downs + (flipped && !ok ? 1 : 0),
    };
    this.#lastOk = ok;
    this.#onResult(this.#facts, flipped || this.#facts.stopping !== before);
  }
}

/** One that is probed first is one good check away from being up. */
function startOf(up: boolean, probeFirst: boolean): RiseFallStart {
  return up ? 'up' : probeFirst ? 'nearly up' : 'down';
}

function probeOf(target: Omit<ServerCheckTarget, 'id'>, times: DialogueTimes | undefined): Probe {
  const { check, httpchk, dialogue, tls, sendProxy } = target;
  const head = sendProxy && ownProxyHead(sendProxy);
  const at = { host: check.addr ?? target.address, port: check.port ?? target.port, tls, head };
  if (httpchk) return httpchkProbe(at, httpchk, times);
  return dialogueProbe(at, dialogue && dialogueScript(dialogue), times);
}

function positionOf({ up, position, health, rise, fall }: RiseFall) {
  return { up, position, health, rise, fall };
}

function whyOf({ code, httpStatus, output }: ProbeResult, durationMs: number): string {
  const status = httpStatus === undefined ? '' : `, code: ${httpStatus}`;
  const info = output === '' ? '' : `, info: "${output}"`;
  return `${describeCode(code)}${status}${info}, check duration: ${Math.round(durationMs)}ms`;
}
