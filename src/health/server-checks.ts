import { sameTls } from '../balance/server.ts';
import type { OnError } from '../config/runtime/servers.ts';
import { type Clock, systemClock } from '../core/clock.ts';
import type { Listenable } from '../core/emitter.ts';
import type { Part } from '../core/lifecycle.ts';
import { ServerCheck, type ServerCheckFacts, type ServerCheckTarget } from './server-check.ts';
import { SharedChecks } from './shared-checks.ts';
import { Slots } from './slots.ts';

/** What checks know of one target. */
export interface ServerCheckState extends ServerCheckFacts {
  readonly id: string;
  /** True when this very result took the server up or down, or began or ended its wish for no new work. */
  readonly flipped: boolean;
}

export interface ServerChecksOptions {
  readonly clock?: Clock;
  /** In [0, 1). */
  readonly random?: () => number;
  /** Bounds how many checks run at once; to be shared with others that check. Default: 200 of its own. */
  readonly slots?: Slots;
  /** By how many percent the time between two checks varies (HAProxy's `spread-checks`). Default: 0. */
  readonly spread?: () => number;
}

const CHECKS_AT_ONCE = 200;

/**
 * The load balancer's own active checks of servers (HAProxy's `check inter … fall … rise …`). The same check
 * of the same address is run once, however many backends use it.
 */
export class ServerChecks implements Part {
  readonly name = 'server checks';
  readonly #shared: SharedChecks<ServerCheckTarget, ServerCheckFacts, ServerCheck>;

  constructor(options: ServerChecksOptions = {}) {
    const { clock = systemClock, random = Math.random, spread = () => 0 } = options;
    const slots = options.slots ?? new Slots(CHECKS_AT_ONCE);
    this.#shared = new SharedChecks({
      clock,
      keyOf: checkKey,
      isSame,
      isSameServer,
      begin: (target, before, onResult) =>
        new ServerCheck(target, {
          clock,
          random,
          slots,
          spread,
          up: before?.up ?? !target.probeFirst,
          onResult,
        }),
    });
  }

  /** Every result, once for each target it is about. */
  get results(): Listenable<ServerCheckState> {
    return this.#shared.results;
  }

  /** Of the results those that changed what the server may do; told after {@link results}. */
  get flips(): Listenable<ServerCheckState> {
    return this.#shared.flips;
  }

  /** Nothing to do: checks start as targets are set. */
  async start(): Promise<void> {}

  stop(deadline: number): Promise<void> {
    return this.#shared.stop(deadline);
  }

  /**
   * Says which targets of one owner, such as a backend, are to be checked from now on; those of others stay, so that a
   * change costs no more than what it is about. What is checked already in the same way goes on undisturbed. A new
   * server is up, and its first failure takes it down; one that is to be probed first is down, and its first good check
   * takes it up; one of which only the check's settings changed stays up or down; a target that joins a running check
   * has that check's state. Tells no event: see {@link state}.
   */
  set(owner: string, targets: Iterable<ServerCheckTarget>): void {
    this.#shared.set(owner, targets);
  }

  /** The same for those targets of an owner that are new or not as they were, and for ids that are no targets. */
  change(owner: string, targets: Iterable<ServerCheckTarget>, gone: Iterable<string>): void {
    this.#shared.change(owner, targets, gone);
  }

  /** What is known of a target; undefined if it is not checked. */
  state(id: string): ServerCheckState | undefined {
    return this.#shared.state(id);
  }

  /** Checks a target now instead of when it is due, for when its connections fail. Others' ids do nothing. */
  checkNow(id: string): void {
    this.#shared.checkNow(id);
  }

  /** The work of a target meets errors; see {@link ServerCheck.observed}. Others' ids do nothing. */
  observed(id: string, onError: OnError, why: string): void {
    this.#shared.of(id)?.observed(onError, why);
  }
}

/** Whether nothing has changed. Settings are told apart by their object: configurations are frozen. */
function isSame(a: ServerCheckTarget, b: ServerCheckTarget): boolean {
  return (
    isSameServer(a, b) &&
    a.check === b.check &&
    a.httpchk === b.httpchk &&
    a.dialogue === b.dialogue &&
    a.timeout === b.timeout &&
    a.connectTimeout === b.connectTimeout &&
    a.probeFirst === b.probeFirst &&
    a.observed === b.observed &&
    a.sendProxy === b.sendProxy &&
    sameTls(a.tls, b.tls)
  );
}

/** Whatever it is checked by. */
function isSameServer(a: ServerCheckTarget, b: ServerCheckTarget): boolean {
  return a.address === b.address && a.port === b.port;
}

/**
 * Targets with the same key have the same results. What the traffic of a server tells is of its own backend only, as in
 * HAProxy: where that counts its check is shared with nobody.
 */
function checkKey(target: ServerCheckTarget): string {
  const {
    observed,
    address,
    port,
    check,
    httpchk,
    dialogue,
    tls,
    sendProxy,
    timeout,
    connectTimeout,
    probeFirst,
  } = target;
  const { inter, fastinter, downinter, fall, rise } = check;
  const at = [check.addr ?? address, check.port ?? port];
  const how = [httpchk ?? null, dialogue ?? null, tls ?? null, sendProxy ?? null];
  const when = [inter, fastinter ?? null, downinter ?? null, fall, rise, timeout ?? null];
  // Only where there is a time for the answer does that for the connection count.
  if (timeout !== undefined) when.push(connectTimeout ?? null);
  return JSON.stringify([at, how, when, probeFirst === true, observed ?? null]);
}
