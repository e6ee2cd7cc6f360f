import type { BackendConfig, CheckConfig } from '../config/runtime.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import { Emitter, type Listenable } from '../core/emitter.ts';
import type { Part } from '../core/lifecycle.ts';
import { describeCode } from './check-codes.ts';
import { httpchkProbe } from './httpchk.ts';
import type { ProbeResult } from './probe.ts';
import { Runner } from './runner.ts';
import { Slots } from './slots.ts';
import { connectProbe } from './tcp.ts';
import { RiseFall } from './threshold.ts';
import { settledBy } from './within.ts';

/** One server that the load balancer itself is to check. */
export interface ServerCheckTarget {
  /** `backend/server`, unique. */
  readonly id: string;
  readonly address: string;
  readonly port: number;
  readonly check: CheckConfig;
  /** Undefined: a connection that opens is enough. */
  readonly httpchk: BackendConfig['httpchk'];
  /** Longest duration of one check, ms: `timeout check`; undefined: `inter`, as in HAProxy. */
  readonly timeout: number | undefined;
}

/** What checks know of one server; a new object after every result. */
export interface ServerCheckState {
  readonly id: string;
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
  /** `check_duration`, ms; undefined before the first result. */
  readonly durationMs: number | undefined;
  /** `check_desc`: `Layer4 connection problem`. */
  readonly desc: string;
  /** `last_chk`: what the server or the system said. */
  readonly info: string;
  /** The reason in the words of HAProxy's log, for events: `Layer7 wrong status, code: 503, info: "…", check duration: 2ms`. */
  readonly why: string;
  /** True when this very result took the server up or down. */
  readonly flipped: boolean;
  /** `chkfail`: checks failed while the server was up, since this check began. */
  readonly failures: number;
  /** `chkdown`: times this check took the server down. */
  readonly downs: number;
}

export interface ServerChecksOptions {
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Bounds how many checks run at once; to be shared with others that check. Default: 200 of its own. */
  readonly slots?: Slots;
}

/** One running check and the servers it speaks for. */
interface SharedCheck {
  readonly runner: Runner;
  readonly riseFall: RiseFall;
  readonly ids: Set<string>;
  failures: number;
  downs: number;
  last: Omit<ServerCheckState, 'id' | 'flipped'>;
}

const CHECKS_AT_ONCE = 200;
/** Servers are checked soon after they appear; the spread keeps hundreds from being checked at one moment. */
const FIRST_WITHIN_MS = 1000;

/**
 * The load balancer's own active checks of servers (HAProxy's `check inter … fall … rise …`). The same check
 * of the same address is run once, however many backends use it.
 */
export class ServerChecks implements Part {
  readonly name = 'server checks';
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #slots: Slots;
  readonly #checks = new Map<string, SharedCheck>();
  /** Target id → what it is checked by and where. */
  readonly #targets = new Map<string, { readonly key: string; readonly server: string }>();
  readonly #ending = new Set<Promise<void>>();
  readonly #results = new Emitter<ServerCheckState>();
  readonly #flips = new Emitter<ServerCheckState>();

  constructor(options: ServerChecksOptions = {}) {
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? Math.random;
    this.#slots = options.slots ?? new Slots(CHECKS_AT_ONCE);
  }

  /** Every result, once for each server it is about. */
  get results(): Listenable<ServerCheckState> {
    return this.#results;
  }

  /** The results that took a server up or down; told after {@link results}. */
  get flips(): Listenable<ServerCheckState> {
    return this.#flips;
  }

  /** Nothing to do: checks start as targets are set. */
  async start(): Promise<void> {}

  async stop(deadline: number): Promise<void> {
    this.set([]);
    await settledBy(this.#clock, deadline, this.#ending);
  }

  /**
   * Says what is to be checked from now on, whole. What is checked already in the same way goes on undisturbed.
   * A new server is up with its first failure taking it down; one that only its check's settings have changed
   * for stays up or down; one that joins a running check has that check's state. No event is told: see {@link state}.
   */
  set(targets: readonly ServerCheckTarget[]): void {
    const wanted = new Set(targets.map((target) => target.id));
    // Added before the old ones go, so that a check which only changes hands is not interrupted.
    const left = new Map<string, string>();
    for (const target of targets) {
      const known = this.#targets.get(target.id);
      const key = identityOf(target);
      if (known?.key === key) continue;
      const before = known?.server === serverOf(target) ? this.#checks.get(known.key) : undefined;
      if (known) left.set(target.id, known.key);
      this.#targets.set(target.id, { key, server: serverOf(target) });
      this.#join(key, target, before?.riseFall.up ?? true);
    }
    for (const [id, { key }] of this.#targets) {
      if (wanted.has(id)) continue;
      this.#targets.delete(id);
      left.set(id, key);
    }
    for (const [id, key] of left) this.#leave(key, id);
  }

  /** What is known of a server; undefined if it is not checked. */
  state(id: string): ServerCheckState | undefined {
    const target = this.#targets.get(id);
    const check = target && this.#checks.get(target.key);
    return check && { ...check.last, id, flipped: false };
  }

  /** Checks a server now instead of when it is due: for when its connections fail. Unknown ids do nothing. */
  checkNow(id: string): void {
    const target = this.#targets.get(id);
    if (target) this.#checks.get(target.key)?.runner.runNow();
  }

  #join(key: string, target: ServerCheckTarget, up: boolean): void {
    const running = this.#checks.get(key);
    if (running) {
      running.ids.add(target.id);
      return;
    }
    const { inter, rise, fall, port } = target.check;
    const at = { host: target.address, port: port ?? target.port };
    const riseFall = new RiseFall({ rise, fall }, up);
    const check: SharedCheck = {
      runner: new Runner({
        probe: target.httpchk ? httpchkProbe(at, target.httpchk) : connectProbe(at),
        interval: inter,
        timeout: target.timeout ?? inter,
        firstWithin: Math.min(inter, FIRST_WITHIN_MS),
        clock: this.#clock,
        random: this.#random,
        slots: this.#slots,
        onResult: (result, durationMs) => this.#onResult(check, result, durationMs),
      }),
      riseFall,
      ids: new Set([target.id]),
      failures: 0,
      downs: 0,
      last: {
        ...positionOf(riseFall),
        lastCode: 'INI',
        httpStatus: undefined,
        durationMs: undefined,
        desc: describeCode('INI'),
        info: '',
        why: 'not checked yet',
        failures: 0,
        downs: 0,
      },
    };
    this.#checks.set(key, check);
    check.runner.start();
  }

  #leave(key: string, id: string): void {
    const check = this.#checks.get(key);
    check?.ids.delete(id);
    if (!check || check.ids.size > 0) return;
    this.#checks.delete(key);
    const ending = check.runner.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #onResult(check: SharedCheck, result: ProbeResult, durationMs: number): void {
    const ok = result.status === 'passing';
    if (!ok && check.riseFall.up) check.failures += 1;
    const flipped = check.riseFall.record(ok);
    if (flipped && !ok) check.downs += 1;
    check.last = {
      ...positionOf(check.riseFall),
      lastCode: result.code,
      httpStatus: result.httpStatus,
      durationMs,
      desc: describeCode(result.code),
      info: result.output,
      why: whyOf(result, durationMs),
      failures: check.failures,
      downs: check.downs,
    };
    for (const id of [...check.ids]) {
      const state = { ...check.last, id, flipped };
      this.#results.emit(state);
      if (flipped) this.#flips.emit(state);
    }
  }
}

function positionOf({ up, position, health, rise, fall }: RiseFall) {
  return { up, position, health, rise, fall };
}

/** HAProxy's own sentence: `Layer7 wrong status, code: 503, info: "Service Unavailable", check duration: 2ms`. */
function whyOf({ code, httpStatus, output }: ProbeResult, durationMs: number): string {
  const status = httpStatus === undefined ? '' : `, code: ${httpStatus}`;
  const info = output === '' ? '' : `, info: "${output}"`;
  return `${describeCode(code)}${status}${info}, check duration: ${Math.round(durationMs)}ms`;
}

/** The server a target stands for, whatever it is checked by. */
function serverOf({ address, port }: ServerCheckTarget): string {
  return `${address} ${port}`;
}

/** Targets with the same identity have the same results, and share one check. */
function identityOf({ address, port, check, httpchk, timeout }: ServerCheckTarget): string {
  const { inter, fall, rise } = check;
  return JSON.stringify([address, check.port ?? port, inter, fall, rise, httpchk ?? null, timeout ?? null]);
}
