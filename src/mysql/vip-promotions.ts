import type { MysqlPromoteConfig } from '../config/runtime/mysql-vips.ts';
import { type Clock, sleep } from '../core/clock.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Server } from './endpoint/site.ts';
import { gtidText, includes } from './failover/gtid.ts';
import { mustNotPromote } from './failover/promotion.ts';
import { masterOf, type Observation, serverOf, type VipState } from './failover/vip-state.ts';
import { fence, makeSlave, promote } from './promotion/promoter.ts';

/** How long a server that was made a slave may take until it is one, ms. */
const REJOIN_WITHIN_MS = 3_000;

/** What a promotion needs of the VIP that it is for. */
export interface PromotedVip {
  readonly name: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly servers: ReadonlyMap<string, Server>;
  readonly state: () => VipState;
  /** Clients, names and the file on disk have let go of the master. */
  readonly left: (server: string) => Promise<void>;
  readonly observe: (observation: Observation) => void;
  readonly probeNow: (server: string) => void;
  readonly onHook: (hook: string, result: string, ms: number) => void;
}

/** Does to servers what the failover of a VIP has decided, in mode `promote`. */
export class VipPromotions {
  readonly #vip: PromotedVip;
  #running: Promise<void> | undefined;
  config: MysqlPromoteConfig;

  constructor(vip: PromotedVip, config: MysqlPromoteConfig) {
    this.#vip = vip;
    this.config = config;
  }

  /** The promotion that a state has begun. */
  begin(state: VipState): void {
    this.#running ??= this.#run(state).finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Keeps a master of before, which has come back, from taking writes. */
  async fence(id: string): Promise<void> {
    const { name: vip, clock, log } = this.#vip;
    try {
      await fence(this.#server(id), this.config, clock);
      log.warn({ vip, server: id }, `mysql-vip ${vip} has made ${id} read-only: another is the master now`);
    } catch (error) {
      log.error({ vip, server: id, error: messageOf(error) }, `mysql-vip ${vip} cannot make ${id} read-only`);
    }
  }

  /**
   * Before a master of before can be told to have joined: makes it a slave, where it lacks nothing but the command and
   * there is an account to do so. Rejects with what the server says.
   */
  async prepareRejoin(id: string): Promise<void> {
    const { name: vip, clock, log, state, probeNow } = this.#vip;
    const { demoted, ...now } = state();
    const [former, master] = [serverOf(now, id), masterOf(now)];
    if (mustNotPromote(state()) || demoted !== id || former?.up !== true || former.reading?.replication)
      return;
    if (includes(master.reading?.gtid, former.reading?.gtid) !== true) return;
    if (!(await makeSlave(this.#server(id), this.#server(master.id), this.config, clock))) return;
    log.info({ vip, server: id, of: master.id }, `mysql-vip ${vip} has made ${id} a slave of ${master.id}`);
    probeNow(id);
    const isSlave = () => serverOf(state(), id)?.reading?.replication?.io === 'yes';
    await until(clock, clock.now() + REJOIN_WITHIN_MS, isSlave);
  }

  async #run(state: VipState): Promise<void> {
    const { name: vip, clock, log, left, observe, onHook } = this.#vip;
    const { promotion } = state;
    if (!promotion) return;
    const { server: to, planned } = promotion;
    const from = masterOf(state).id;
    const others = state.servers.filter(({ id, up }) => up === true && id !== to && id !== from);
    const gtid = (id: string) => gtidText(serverOf(state, id)?.reading?.gtid);
    const task = {
      facts: {
        ...{ name: vip, epoch: state.epoch, from, to, reason: state.reason },
        event: planned ? ('switchover' as const) : ('promotion' as const),
        ...{ gtidFrom: gtid(from), gtidTo: gtid(to) },
      },
      planned,
      ...{ from: this.#server(from), to: this.#server(to), others: others.map(({ id }) => this.#server(id)) },
    };
    const onTrouble = (error: string) =>
      log.error({ vip, error }, `mysql-vip ${vip}: trouble with a promotion`);
    try {
      if (!planned) await left(from);
      const { isFollowed } = await promote(task, {
        ...{ config: this.config, clock, onHook, onTrouble },
        left: () => left(from),
        objection: () => this.#objection(planned),
      });
      observe({ kind: 'promoted', isFollowed });
    } catch (error) {
      const why = `${to} was not promoted: ${messageOf(error)}`;
      log.error({ vip, server: to, error: messageOf(error) }, `mysql-vip ${vip} could not promote ${to}`);
      observe({ kind: 'not-promoted', why });
    }
  }

  /** What has changed since it was decided. */
  #objection(planned: boolean): string | undefined {
    const state = this.#vip.state();
    const { id, up, failures } = masterOf(state);
    if (state.phase !== 'PROMOTING') return 'it is not wanted any more';
    if (mustNotPromote(state)) return 'this Vane has lost its lock';
    if (planned) return up !== true || failures > 0 ? `${id} fails` : undefined;
    return up === false && failures > 0 ? undefined : `${id} answers again`;
  }

  #server(id: string): Server {
    const server = this.#vip.servers.get(id);
    if (!server) throw new VaneError('INTERNAL', `no server ${id}`);
    return server;
  }
}

/** Resolves when something is so, looked at every few ms, or at the deadline (clock ms). */
export async function until(clock: Clock, deadline: number, isSo: () => boolean): Promise<void> {
  while (!isSo() && clock.now() < deadline) await sleep(clock, LOOK_MS);
}

const LOOK_MS = 20;
