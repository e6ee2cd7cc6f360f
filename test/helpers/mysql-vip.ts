import type { MysqlVipConfig } from '../../src/config/runtime/mysql-vips.ts';
import { systemClock } from '../../src/core/clock.ts';
import type { Order } from '../../src/mysql/failover/standing.ts';
import type { MysqlVipView } from '../../src/mysql/view.ts';
import { Vips, type VipsOptions } from '../../src/mysql/vips.ts';
import { eventually } from './eventually.ts';
import { APP, CONTROL, type MariadbPair, MONITOR, REPLICATION } from './mariadb.ts';
import { type LogLine, recordedLog } from './registry.ts';

/** Mode `promote`, with all that Vane can do itself. */
export const PROMOTE: Pick<MysqlVipConfig, 'failover' | 'promote'> = {
  failover: { mode: 'promote', unreachableWait: 3_000, maxStale: 3_600_000 },
  promote: {
    ...CONTROL,
    replication: REPLICATION,
    ...{ maxLag: 5_000, applyWait: 10_000, blockFor: 0, requireFence: false, hookTimeout: 5_000 },
    hooks: { pre: undefined, fence: undefined, promote: undefined, post: undefined, failed: undefined },
  },
};

/** One VIP over a pair of servers, without a registry. */
export interface VipUnderTest {
  readonly port: number;
  readonly portRo: number;
  /** How an application connects. */
  readonly rw: { host: string; port: number; user: string; password: string; database: string };
  readonly ro: VipUnderTest['rw'];
  readonly lines: readonly LogLine[];
  view(): MysqlVipView;
  /** Waits until it leads to this server, or to none. */
  leadsTo(target: string | undefined, withinMs?: number): Promise<void>;
  /** Why it was refused; undefined: it was not. */
  order(order: Order, isDry?: boolean): Promise<string | undefined>;
  update(changes: Partial<MysqlVipConfig>): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function vipConfig(
  { master, slave }: MariadbPair,
  changes: Partial<MysqlVipConfig> = {},
): MysqlVipConfig {
  return {
    name: 'main',
    bind: [{ host: '127.0.0.1', port: 0 }],
    bindRo: [{ host: '127.0.0.1', port: 0 }],
    service: 'mysql',
    servers: [
      { id: 'db1', role: 'master', host: master.host, port: master.port },
      { id: 'db2', role: 'slave', host: '127.0.0.1', port: slave.port },
    ],
    monitor: { ...MONITOR, interval: 500, timeout: 1_000, fall: 3, rise: 2 },
    failover: { mode: 'degrade', unreachableWait: 3_000, maxStale: 3_600_000 },
    promote: undefined,
    registry: { services: undefined, lock: undefined, agentLoss: 'failover', agentGrace: 2_000 },
    failback: { policy: 'manual', stable: 1_000 },
    hold: { time: 8_000, max: 1_000 },
    drain: 2_000,
    connectTimeout: 1_000,
    maxconn: 1_000,
    ...changes,
  };
}

export async function startVip(
  pair: MariadbPair,
  changes: Partial<MysqlVipConfig> = {},
  { registry, ...more }: Partial<Pick<VipsOptions, 'dataDir' | 'registry'>> = {},
): Promise<VipUnderTest> {
  const { log, lines } = recordedLog();
  const vips = new Vips({ clock: systemClock, log, registry, node: 'lb-1', ...more });
  let config = vipConfig(pair, changes);
  const take = async () => (await vips.open([config])).take();
  await vips.start();
  await take();
  const port = (side: 'rw' | 'ro') => vips.listening.find((one) => one.side === side)?.port ?? 0;
  const view = () => {
    const [first] = vips.view();
    if (!first) throw new Error('no vip');
    return first;
  };
  const account = { host: '127.0.0.1', ...APP, database: 'test' };
  return {
    port: port('rw'),
    portRo: port('ro'),
    rw: { ...account, port: port('rw') },
    ro: { ...account, port: port('ro') },
    lines,
    view,
    leadsTo: (target, withinMs = 15_000) =>
      eventually(() => {
        const { target: now, phase, reason } = view();
        if (now !== target || phase === 'SWITCHING') throw new Error(`${phase}, leads to ${now}: ${reason}`);
      }, withinMs),
    order: async (order, isDry = false) => {
      const answer = await vips.order('main', order, 'a test', isDry);
      return answer && 'refused' in answer ? answer.refused : undefined;
    },
    update: async (more) => {
      config = { ...config, ...more };
      await take();
    },
    [Symbol.asyncDispose]: () => vips.stop(systemClock.now() + 1_000),
  };
}
