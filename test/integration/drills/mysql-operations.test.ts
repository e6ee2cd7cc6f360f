import { type Connection, createPool, type Pool } from 'mysql2/promise';
import { afterAll, beforeAll, expect } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { CuttableLink } from '../../helpers/cuttable-link.ts';
import { drillCount, drillTimeout, figure, median } from '../../helpers/drill-figures.ts';
import { eventually } from '../../helpers/eventually.ts';
import { APP, caughtUp, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { MysqlLoad } from '../../helpers/mysql-load.ts';
import { PROMOTE, startVip, type VipUnderTest, vipConfig } from '../../helpers/mysql-vip.ts';
import { needs } from '../../helpers/needs.ts';

const ROUNDS = drillCount(2, 20);
const DRILL = 'mysql-vip operated';
/** Of a pool that is mostly idle. */
const IDLE = 8;

needs('mariadbd', 'mariadb-server').describe('a MySQL VIP that is operated, and links that are cut', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  beforeAll(async () => {
    pair = await mariadbPair();
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
  });

  const slaveIsFresh = (vip: VipUnderTest) =>
    eventually(() => {
      const slave = vip.view().servers.find(({ role }) => role === 'slave');
      expect(slave).toMatchObject({ up: true, writable: false, lag: 0 });
    });

  test(
    'a planned switchover takes less than a second, fails no idle session, and loses no write',
    async () => {
      await pair.restore();
      await using vip = await startVip(pair, PROMOTE);
      await vip.leadsTo('db1');
      await slaveIsFresh(vip);
      const pool = createPool({ ...vip.rw, connectionLimit: IDLE, maxIdle: IDLE });
      const load = new MysqlLoad(vip.rw, 6);
      await eventually(() => expect(load.done('transaction').length).toBeGreaterThan(20));
      const [moved, gaps]: [number[], number[]] = [[], []];
      let failed = 0;
      for (let i = 0; i < ROUNDS; i++) {
        failed += await useAll(pool);
        const to = i % 2 === 0 ? 'db2' : 'db1';
        await slaveIsFresh(vip);
        const from = systemClock.now();
        expect(await vip.order({ do: 'switchover', to })).toBeUndefined();
        await vip.leadsTo(to);
        moved.push(systemClock.now() - from);
        await eventually(() => expect(load.done('transaction', from + 500).length).toBeGreaterThan(5));
        gaps.push(load.longestGap('insert', from - 100));
        failed += await useAll(pool);
      }
      await load.stop();
      await pool.end();
      // Where the master is in the end.
      const [a, b] = ROUNDS % 2 === 0 ? [pair.master, pair.slave] : [pair.slave, pair.master];
      await caughtUp({ master: a, slave: b });
      const lost = await missing(load, a);
      figure(
        DRILL,
        `switchover: to new target, ms, median of ${ROUNDS}`,
        Math.round(median(moved)),
        '≤ 1000',
      );
      figure(DRILL, 'switchover: to new target, ms, worst', Math.round(Math.max(...moved)));
      figure(DRILL, 'switchover: gap in writing, ms, worst', Math.round(Math.max(...gaps)), '≤ 1000');
      figure(DRILL, 'switchover: statements that failed on idle pooled sessions', failed, '0');
      figure(DRILL, 'switchover: acknowledged writes that are missing', lost, '0');
      expect(failed + lost).toBe(0);
      if (ROUNDS % 2 === 1) {
        expect(await vip.order({ do: 'switchover', to: 'db1' })).toBeUndefined();
        await vip.leadsTo('db1');
      }
    },
    drillTimeout(ROUNDS * 4).timeout,
  );

  test('a master that only Vane does not reach is not replaced, though its clients can read after a while', async () => {
    await pair.restore();
    await using link = await CuttableLink.open(pair.master.port);
    const config = vipConfig(pair);
    const servers = config.servers.map((server) =>
      server.role === 'master' ? { ...server, port: link.port } : server,
    );
    await using vip = await startVip(pair, { ...PROMOTE, servers });
    await vip.leadsTo('db1');
    await slaveIsFresh(vip);
    const load = new MysqlLoad(vip.rw, 3);
    await eventually(() => expect(load.done('read').length).toBeGreaterThan(10));
    const cutAt = systemClock.now();
    link.cut();
    await vip.leadsTo('db2', 30_000);
    await eventually(() => expect(load.done('read', cutAt + 1_000).length).toBeGreaterThan(10));
    figure(
      DRILL,
      'link to the master cut: gap in reading, ms',
      Math.round(load.longestGap('read', cutAt - 100)),
      '≤ 6000',
    );
    expect(vip.view()).toMatchObject({ phase: 'DEGRADED', target: 'db2', demoted: undefined });
    const [row] = await pair.slave.sql('SELECT @@read_only AS ro');
    expect(row?.ro).toBe(1);
    link.mend();
    await vip.update({ failback: { policy: 'automatic', stable: 0 } });
    await vip.leadsTo('db1', 30_000);
    await load.stop();
  }, 90_000);

  test('a master that comes back gets nobody before its slave follows it and it has been well', async () => {
    await pair.restore();
    await using vip = await startVip(pair, { failback: { policy: 'after-stable', stable: 2_000 } });
    await vip.leadsTo('db1');
    await pair.master.end();
    await vip.leadsTo('db2');
    await pair.slave.sql('STOP SLAVE');
    await pair.master.start();
    await eventually(() => expect(vip.view().waitsFor).toBe('db2 does not replicate'));
    await pair.slave.sql('START SLAVE');
    await vip.leadsTo('db1', 20_000);
  }, 60_000);

  test('two that take writes, and a master that is full, lead nobody elsewhere', async () => {
    await pair.restore();
    await pair.master.sql('TRUNCATE test.t');
    await using vip = await startVip(pair, { failback: { policy: 'automatic', stable: 0 } });
    await vip.leadsTo('db1');
    const load = new MysqlLoad(vip.rw, 6);
    await eventually(() => expect(load.done('transaction').length).toBeGreaterThan(20));
    const alarms = () => vip.view().alarms.map(({ kind }) => kind);
    await pair.slave.sql('SET GLOBAL read_only=0');
    await eventually(() => expect(alarms()).toContain('split'));
    const written = load.done('insert').length;
    await eventually(() => expect(load.done('insert').length).toBeGreaterThan(written + 50));
    await pair.slave.sql('SET GLOBAL read_only=1');
    await eventually(() => expect(alarms()).toEqual([]));

    await pair.master.sql('SET GLOBAL max_connections=10');
    const taken: Connection[] = [];
    await eventually(async () => {
      await pair.master.sql('KILL CONNECTION USER vipmon');
      for (let i = 0; i < 12; i++) {
        await pair.master.login(APP).then(
          (connection) => taken.push(connection),
          () => {},
        );
      }
      expect(vip.view().servers[0]?.probes.failed.overloaded).toBeGreaterThan(3);
    }, 20_000);
    expect(vip.view()).toMatchObject({ phase: 'MASTER', target: 'db1', epoch: 1 });
    for (const connection of taken) connection.destroy();
    await pair.master.sql('SET GLOBAL max_connections=40');
    await load.stop();
    await caughtUp(pair);
    const [row] = await pair.slave.sql('SELECT COUNT(*) AS n FROM test.t WHERE srv <> 1');
    figure(DRILL, 'two that take writes: writes that another than the master took', row?.n, '0');
    expect(row?.n).toBe(0);
    expect(await missing(load, pair.slave)).toBe(0);
  }, 60_000);

  test('one that flaps is left alone after four moves, with its clients where they can read', async () => {
    await pair.restore();
    await using vip = await startVip(pair, { failback: { policy: 'automatic', stable: 0 } });
    await vip.leadsTo('db1');
    for (let i = 0; i < 3; i++) {
      await pair.master.end();
      await vip.leadsTo('db2');
      await pair.master.start();
      if (i < 2) await vip.leadsTo('db1', 20_000);
    }
    await eventually(() => expect(vip.view().waitsFor).toBe('5 moves within an hour'));
    expect(vip.view().alarms.map(({ kind }) => kind)).toContain('frozen');
    await eventually(async () => expect(await vip.order({ do: 'failback', force: false })).toBeUndefined());
    await vip.leadsTo('db1');
  }, 90_000);

  /** How many of the pool's sessions fail. */
  async function useAll(pool: Pool): Promise<number> {
    const all = await Promise.allSettled(
      Array.from({ length: IDLE }, () => pool.query('SELECT SLEEP(0.05)')),
    );
    return all.filter(({ status }) => status === 'rejected').length;
  }

  async function missing(load: MysqlLoad, at: MariadbPair['master']): Promise<number> {
    const rows = await at.sql('SELECT client, seq, COUNT(*) AS n FROM test.t GROUP BY client, seq');
    const found = new Map(rows.map(({ client, seq, n }) => [`${client} ${seq}`, n]));
    const wrong = (['insert', 'transaction'] as const).flatMap((kind) =>
      load
        .done(kind)
        .filter(({ client, seq }) => found.get(`${client} ${seq}`) !== (kind === 'insert' ? 1 : 3)),
    );
    return wrong.length;
  }
});
