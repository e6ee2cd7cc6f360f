import { expect } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { drillCount, drillTimeout, figure, median } from '../../helpers/drill-figures.ts';
import { eventually } from '../../helpers/eventually.ts';
import { mariadbPair } from '../../helpers/mariadb.ts';
import { MysqlNode } from '../../helpers/mysql-node.ts';
import { needs } from '../../helpers/needs.ts';
import { RedisServer } from '../../helpers/redis-server.ts';

const DRILL = 'mysql-vip of two Vanes';
const ROUNDS = drillCount(1, 10);

needs('redis-server', 'redis-server').describe(
  'two Vanes that share a registry lose their MySQL master',
  () => {
    needs('mariadbd', 'mariadb-server').test(
      'and lead to the slave and back, one soon after the other',
      async () => {
        await using redis = await RedisServer.start();
        await using pair = await mariadbPair();
        const start = (name: string) =>
          MysqlNode.start(name, {
            registry: `store: "redis://127.0.0.1:${redis.port}", redis: { lease: 3s }`,
            sections: '',
            vip: `servers:
  db1: { address: "${pair.master.address}", role: master }
  db2: { address: "${pair.slave.address}", role: slave }
monitor: { user: vipmon, password: mon }
failback: { policy: manual }`,
          });
        await using one = await start('lb-1');
        await using other = await start('lb-2');
        /** When each was first seen to lead there, in the same epoch as the other in the end. */
        const moved = async (target: string) => {
          const times = await Promise.all(
            [one, other].map((node) =>
              eventually(async () => {
                expect((await node.view()).target).toBe(target);
                return systemClock.now();
              }, 20_000),
            ),
          );
          await eventually(async () => {
            const [a, b] = await Promise.all([one.view(), other.view()]);
            expect([a.target, a.epoch]).toEqual([b.target, b.epoch]);
            expect(a.epoch).toBeDefined();
          });
          return times;
        };
        await moved('db1');
        const [gaps, apart, back]: [number[], number[], number[]] = [[], [], []];
        for (let i = 0; i < ROUNDS; i++) {
          await pair.restore();
          const from = systemClock.now();
          await pair.master.end();
          const away = await moved('db2');
          gaps.push(Math.max(...away) - from);
          apart.push(Math.max(...away) - Math.min(...away));
          await pair.master.start();
          const decides = (await one.view()).lead === 'self' ? one : other;
          await eventually(
            async () => expect(await decides.order({ order: 'failback' })).toBeUndefined(),
            20_000,
          );
          const home = await moved('db1');
          back.push(Math.max(...home) - Math.min(...home));
        }
        const tell = (what: string, values: readonly number[], bar: string) => {
          figure(DRILL, `${what}, ms, median of ${ROUNDS}`, Math.round(median(values)), bar);
          figure(DRILL, `${what}, ms, worst`, Math.round(Math.max(...values)), bar);
        };
        tell('SIGKILL of the master to both at the slave', gaps, '≤ 3000');
        tell('from one at the slave to the other', apart, '');
        tell('from one back at the master to the other', back, '');
      },
      drillTimeout(ROUNDS * 8).timeout,
    );
  },
);
