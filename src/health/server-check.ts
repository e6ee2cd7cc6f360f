import type { BackendConfig } from '../config/runtime/backends.ts';
import type { CheckConfig, ServerTls } from '../config/runtime/servers.ts';
import type { Clock } from '../core/clock.ts';
import { describeCode } from './check-codes.ts';
import { httpchkProbe } from './httpchk.ts';
import type { ProbeResult } from './probe.ts';
import { Runner } from './runner.ts';
import type { Slots } from './slots.ts';
import { connectProbe } from './tcp.ts';
import { RiseFall } from './threshold.ts';

/** One server that the load balancer itself is to check. */
export interface ServerCheckTarget {
  /** `backend/server`, unique. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly check: CheckConfig;
  /** Undefined: a connection that opens is enough. */
  readonly httpchk: BackendConfig['httpchk'];
  /** How HTTP checks speak to it; undefined: in the clear. */
  readonly tls?: ServerTls | undefined;
  /** Longest duration of one check, ms: `timeout check`; undefined: `inter`, as in HAProxy. */
  readonly timeout: number | undefined;
}

/** What checks know of a server; a new object after every result. */
export interface ServerCheckFacts {
  readonly up: boolean;
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
  /** Whether it starts up (one failure from down) or down. */
  readonly up: boolean;
  readonly onResult: (facts: ServerCheckFacts, flipped: boolean) => void;
}

/** Servers are checked soon after they appear; the spread keeps hundreds from being checked at one moment. */
const FIRST_WITHIN_MS = 1000;
/** Asked to check at once, it does so at most this often: failing connections come by the thousand. */
const SOONEST_AGAIN_MS = 200;

/** One active check of one address, and its verdict. */
export class ServerCheck {
  readonly #clock: Clock;
  readonly #runner: Runner;
  readonly #riseFall: RiseFall;
  readonly #onResult: ServerCheckOptions['onResult'];
  #facts: ServerCheckFacts;
  #lastEnded = Number.NEGATIVE_INFINITY;
  #lastOk: boolean | undefined;

  constructor(target: Omit<ServerCheckTarget, 'id'>, options: ServerCheckOptions) {
    const { inter, port } = target.check;
    const at = { host: target.address, port: port ?? target.port };
    this.#clock = options.clock;
    this.#onResult = options.onResult;
    this.#riseFall = new RiseFall(target.check, options.up);
    this.#facts = {
      ...positionOf(this.#riseFall),
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
      probe: target.httpchk ? httpchkProbe(at, target.httpchk, target.tls) : connectProbe(at),
      interval: inter,
      timeout: target.timeout ?? inter,
      firstWithin: Math.min(inter, FIRST_WITHIN_MS),
      clock: options.clock,
      random: options.random,
      slots: options.slots,
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

  /** Resolves when a check under way has ended. */
  stop(): Promise<void> {
    return this.#runner.stop();
  }

  #take(result: ProbeResult, durationMs: number): void {
    const { up, row, failures, downs } = this.#facts;
    const ok = result.status === 'passing';
    const flipped = this.#riseFall.record(ok);
    this.#lastEnded = this.#clock.now();
    this.#facts = {
      ...positionOf(this.#riseFall),
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
    this.#onResult(this.#facts, flipped);
  }
}

function positionOf({ up, position, health, rise, fall }: RiseFall) {
  return { up, position, health, rise, fall };
}

function whyOf({ code, httpStatus, output }: ProbeResult, durationMs: number): string {
  const status = httpStatus === undefined ? '' : `, code: ${httpStatus}`;
  const info = output === '' ? '' : `, info: "${output}"`;
  return `${describeCode(code)}${status}${info}, check duration: ${Math.round(durationMs)}ms`;
}
