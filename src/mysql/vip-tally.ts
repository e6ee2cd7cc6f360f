import type { Clock } from '../core/clock.ts';
import type { FailureClass, ProbeOutcome, Role } from './failover/server-facts.ts';
import { serverOf, type VipState } from './failover/vip-state.ts';
import type { HookView, MysqlServerView, MysqlVipView } from './view.ts';

/** Counts what happens to one VIP. */
export class VipTally {
  readonly #clock: Clock;
  readonly #probes = new Map<string, { ok: number; failed: Record<FailureClass, number> }>();
  readonly #moves: Record<Role, number> = { master: 0, slave: 0 };
  readonly #hooks = new Map<string, HookView>();
  #lastFailover: number | undefined;
  /** Since when there is no target; undefined: there is one, or never was. */
  #since: number | undefined;
  #unavailable = 0;
  #troubleSince: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  probed(server: string, outcome: ProbeOutcome): void {
    const counts = this.#of(server);
    if (outcome.ok) counts.ok++;
    else counts.failed[outcome.class]++;
  }

  probes(server: string): MysqlServerView['probes'] {
    const { ok, failed } = this.#of(server);
    return { ok, failed: { ...failed } };
  }

  /** A program was run. */
  hooked(hook: string, result: string, ms: number): void {
    const key = `${hook} ${result}`;
    const { runs = 0, time = 0 } = this.#hooks.get(key) ?? {};
    this.#hooks.set(key, { hook, result, runs: runs + 1, time: time + ms });
  }

  get hooks(): readonly HookView[] {
    return [...this.#hooks.values()];
  }

  moved(before: VipState, after: VipState, now: number): void {
    if (before.target === after.target) return;
    const left = serverOf(after, before.target);
    if (left) {
      this.#since = now;
      this.#troubleSince = left.up === false ? left.failingSince : undefined;
    }
    const reached = serverOf(after, after.target);
    if (!reached) return;
    if (this.#since !== undefined) this.#unavailable += now - this.#since;
    this.#since = undefined;
    if (before.owner !== undefined && before.owner !== reached.id) {
      this.#moves[reached.role]++;
      if (this.#troubleSince !== undefined) this.#lastFailover = now - this.#troubleSince;
    }
    this.#troubleSince = undefined;
  }

  read(now = this.#clock.now()): Pick<MysqlVipView, 'moves' | 'lastFailover' | 'unavailable'> {
    const running = this.#since === undefined ? 0 : now - this.#since;
    return {
      moves: { ...this.#moves },
      lastFailover: this.#lastFailover,
      unavailable: this.#unavailable + running,
    };
  }

  #of(server: string) {
    let counts = this.#probes.get(server);
    if (!counts) {
      counts = { ok: 0, failed: { dead: 0, timeout: 0, overloaded: 0, blocked: 0, misconfigured: 0 } };
      this.#probes.set(server, counts);
    }
    return counts;
  }
}
