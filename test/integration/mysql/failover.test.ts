import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { eventually } from '../../helpers/eventually.ts';
import { caughtUp, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { MysqlLoad } from '../../helpers/mysql-load.ts';
import { startVip } from '../../helpers/mysql-vip.ts';
import { needs } from '../../helpers/needs.ts';

const READ_ONLY = '1290';

needs('mariadbd', 'mariadb-server').describe('mysql-vip and a master that dies', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  beforeAll(async () => {
    pair = await mariadbPair();
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
  });

  const preauth = async () => {
    const [row] = await pair.master.sql("SHOW GLOBAL STATUS LIKE 'Aborted_connects_preauth'");
    return Number(row?.Value);
  };

  test('by SIGKILL under load: reading goes on, nothing is written twice or lost, and writing comes back', async () => {
    await pair.restore();
    await using vip = await startVip(pair, { failback: { policy: 'after-stable', stable: 1_000 } });
    await vip.leadsTo('db1');
    const load = new MysqlLoad(vip.rw, 9);
    await eventually(() => expect(load.done('transaction').length).toBeGreaterThan(20));

    await pair.master.end();
    await vip.leadsTo('db2');
    const degradedAt = systemClock.now();
    await eventually(() => expect(load.done('read', degradedAt).length).toBeGreaterThan(20));
    expect(vip.view()).toMatchObject({ phase: 'DEGRADED', epoch: 2 });
    await eventually(() => expect(load.attempts.some(({ error }) => error === READ_ONLY)).toBe(true));

    await pair.master.start();
    await vip.leadsTo('db1', 20_000);
    const backAt = systemClock.now();
    await eventually(() => expect(load.done('transaction', backAt).length).toBeGreaterThan(20));
    await load.stop();
    await caughtUp(pair);

    // Every write that was acknowledged is there, on both, and only the master has taken any.
    for (const server of [pair.master, pair.slave]) {
      const rows = await server.sql(
        'SELECT client, seq, COUNT(*) AS n, MIN(srv) AS a, MAX(srv) AS b FROM test.t GROUP BY client, seq',
      );
      const found = new Map(rows.map(({ client, seq, n, a, b }) => [`${client}-${seq}`, { n, a, b }]));
      for (const kind of ['insert', 'transaction'] as const) {
        for (const { client, seq } of load.done(kind)) {
          expect(found.get(`${client}-${seq}`)).toEqual({ n: kind === 'insert' ? 1 : 3, a: 1, b: 1 });
        }
      }
      expect([...found.values()].every(({ a, b }) => a === 1 && b === 1)).toBe(true);
    }
  });

  test('by a clean shutdown: idle sessions are told by error 1053, and the next one reads from the slave', async () => {
    await pair.restore();
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    const idle = await createConnection(vip.rw);
    const told = new Promise<unknown>((resolve) => idle.once('error', resolve));

    await pair.master.end('SIGTERM');
    expect(await told).toMatchObject({ code: 1053 });
    await vip.leadsTo('db2');
    const next = await createConnection(vip.rw);
    expect((await next.query('SELECT @@server_id AS id'))[0]).toEqual([{ id: 2 }]);
    next.destroy();
    await pair.master.start();
  });

  test('that hangs (SIGSTOP): its silence is noticed, and it is not gone back to before it is told to', async () => {
    await pair.restore();
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    const load = new MysqlLoad(vip.rw, 3);
    await eventually(() => expect(load.done('read').length).toBeGreaterThan(10));

    const before = await preauth();
    pair.master.signal('SIGSTOP');
    await vip.leadsTo('db2');
    const degradedAt = systemClock.now();
    await eventually(() => expect(load.done('read', degradedAt).length).toBeGreaterThan(10));
    pair.master.signal('SIGCONT');
    await eventually(() => expect(vip.view().phase).toBe('RECOVERING'));
    await eventually(() => expect(vip.view().servers[0]?.up).toBe(true));
    expect(vip.view()).toMatchObject({ target: 'db2', waitsFor: 'failback is manual' });

    // A session on the slave would be read-only for ever, so it is ended when the master is led to again.
    await vip.update({ failback: { policy: 'automatic', stable: 0 } });
    await vip.leadsTo('db1');
    const backAt = systemClock.now();
    await eventually(() => expect(load.done('insert', backAt).length).toBeGreaterThan(10));
    await load.stop();
    const [row] = await pair.slave.sql('SELECT COUNT(*) AS n FROM test.t WHERE srv = 2');
    expect(row?.n).toBe(0);
    // Connections that were given up while it hung do not count against this host.
    expect(await preauth()).toBe(before);
  });

  // The last one: its slave has parted from its master.
  test('is not gone back to while the slave has what it lacks', async () => {
    await pair.restore();
    await using vip = await startVip(pair, {
      failback: { policy: 'automatic', stable: 0 },
      hold: { time: 300, max: 10 },
    });
    await vip.leadsTo('db1');
    await pair.master.end();
    await vip.leadsTo('db2');
    // Whoever may write in spite of read_only.
    await pair.slave.sql('INSERT INTO test.t (client, seq, srv) VALUES (99, 1, @@server_id)');
    await eventually(async () => {
      const { probes } = vip.view().servers[1] ?? {};
      expect(probes?.ok).toBeGreaterThan(5);
    });
    await pair.master.start();
    await eventually(() => expect(vip.view().alarms.map(({ kind }) => kind)).toContain('diverged'));
    await eventually(() => expect(vip.view().phase).toBe('RECOVERING'));
    expect(vip.view()).toMatchObject({ target: 'db2', waitsFor: 'db2 has executed what db1 has not' });
    // Not even when nobody else is left: what it shows is not what clients have seen.
    await pair.slave.end();
    await vip.leadsTo(undefined);
    await expect(createConnection(vip.rw)).rejects.toMatchObject({ errno: 1053 });
    expect(vip.view().phase).toBe('NONE');
  });
});
