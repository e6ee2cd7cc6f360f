import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, createPool } from 'mysql2/promise';
import { afterEach, beforeEach, expect } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { Registry } from '../../../src/registry/registry.ts';
import { eventually } from '../../helpers/eventually.ts';
import { caughtUp, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { MysqlLoad } from '../../helpers/mysql-load.ts';
import { PROMOTE, startVip, type VipUnderTest } from '../../helpers/mysql-vip.ts';
import { needs } from '../../helpers/needs.ts';
import { RedisServer } from '../../helpers/redis-server.ts';
import { recordedLog } from '../../helpers/registry.ts';

needs('mariadbd', 'mariadb-server').describe('mysql-vip in mode promote', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  let folder: string;
  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vane-promote-'));
    pair = await mariadbPair();
  });
  afterEach(async () => {
    await pair?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const lost = async (load: MysqlLoad, at: MariadbPair['slave']) => {
    const rows = await at.sql('SELECT client, seq, COUNT(*) AS n FROM test.t GROUP BY client, seq');
    const found = new Map(rows.map(({ client, seq, n }) => [`${client} ${seq}`, n]));
    return (['insert', 'transaction'] as const).flatMap((kind) =>
      load
        .done(kind)
        .filter(({ client, seq }) => found.get(`${client} ${seq}`) !== (kind === 'insert' ? 1 : 3)),
    );
  };
  const replicates = (vip: VipUnderTest, id: string) =>
    eventually(() => {
      const server = vip.view().servers.find((one) => one.id === id);
      expect(server).toMatchObject({ up: true, role: 'slave', writable: false, lag: 0 });
    });

  test('a switchover under load exchanges the two, loses nothing, and goes back the same way', async () => {
    await using vip = await startVip(pair, PROMOTE);
    await vip.leadsTo('db1');
    await replicates(vip, 'db2');
    const pool = createPool({ ...vip.rw, connectionLimit: 4 });
    await Promise.all([1, 2, 3, 4].map(() => pool.query('SELECT SLEEP(0.1)')));
    const load = new MysqlLoad(vip.rw, 6);
    await eventually(() => expect(load.done('transaction').length).toBeGreaterThan(20));

    expect(await vip.order({ do: 'switchover', to: undefined })).toBeUndefined();
    await vip.leadsTo('db2');
    expect(vip.view()).toMatchObject({ phase: 'MASTER', epoch: 2, demoted: undefined });
    // What was idle in the pool has been replaced, and nothing failed.
    const [rows] = await pool.query('SELECT @@server_id AS id');
    expect(rows).toEqual([{ id: 2 }]);
    await replicates(vip, 'db1');
    expect(await vip.order({ do: 'switchover', to: 'db1' })).toBeUndefined();
    await vip.leadsTo('db1');
    await replicates(vip, 'db2');
    await load.stop();
    await pool.end();
    await caughtUp(pair);
    expect(await lost(load, pair.master)).toEqual([]);
    expect(await lost(load, pair.slave)).toEqual([]);
  });

  test('a dead master is replaced; one that comes back is fenced, and joins as a slave when told', async () => {
    const say = (what: string) => [
      '/bin/sh',
      '-c',
      `echo ${what} $VIP_EVENT $VIP_FROM $VIP_TO >> ${folder}/hooks`,
    ];
    const hooks = { ...PROMOTE.promote?.hooks, fence: say('fence'), post: say('post') };
    const promote = PROMOTE.promote && {
      ...PROMOTE.promote,
      hooks: { pre: undefined, promote: undefined, failed: undefined, ...hooks },
      requireFence: true,
    };
    await using vip = await startVip(pair, { ...PROMOTE, promote }, { dataDir: folder });
    await vip.leadsTo('db1');
    await replicates(vip, 'db2');
    await pair.master.end('SIGKILL');
    await vip.leadsTo('db2');
    expect(vip.view()).toMatchObject({ phase: 'PROMOTED', epoch: 2, demoted: 'db1' });
    expect(readFileSync(join(folder, 'hooks'), 'utf8')).toBe(
      'fence promotion db1 db2\npost promotion db1 db2\n',
    );
    await pair.slave.sql('INSERT INTO test.t (client, seq, srv) VALUES (99, 1, @@server_id)');

    await pair.master.start();
    await eventually(async () => {
      const [row] = await pair.master.sql('SELECT @@read_only AS ro');
      expect(row?.ro).toBe(1);
    });
    await eventually(() => expect(vip.view().servers[0]).toMatchObject({ up: true, writable: false }));
    expect(await vip.order({ do: 'rejoin', server: 'db1' })).toBeUndefined();
    expect(vip.view()).toMatchObject({ phase: 'MASTER', demoted: undefined });
    await eventually(async () => {
      const rows = await pair.master.sql('SELECT srv FROM test.t WHERE client = 99');
      expect(rows).toEqual([{ srv: 2 }]);
    });
    const saved = JSON.parse(readFileSync(join(folder, 'mysql-vips.json'), 'utf8'));
    expect(saved.vips.main).toMatchObject({ master: 'db2', owner: 'db2', epoch: 2 });
  });

  test('one that has what the new one lacks stays out', async () => {
    await using vip = await startVip(pair, PROMOTE);
    await vip.leadsTo('db1');
    await replicates(vip, 'db2');
    await pair.master.end('SIGKILL');
    await vip.leadsTo('db2');
    await pair.master.start('--read-only');
    // As one that it had written before it died, and nobody has received, would be.
    await pair.master.sql(
      'SET STATEMENT sql_log_bin=1 FOR INSERT INTO test.t (client, seq, srv) VALUES (97, 1, 1)',
    );
    await eventually(() => expect(vip.view().alarms.map(({ kind }) => kind)).toContain('diverged'));
    expect(await vip.order({ do: 'rejoin', server: 'db1' })).toBe('db1 has executed what db2 has not');
    expect(vip.view()).toMatchObject({ phase: 'PROMOTED', demoted: 'db1' });
  });

  const shared = needs('redis-server', 'redis-server');
  shared.test('of two that share a registry one promotes, and the other follows', async () => {
    await using redis = await RedisServer.start();
    const node = { name: 'lb-1', address: '127.0.0.1', datacenter: 'dc1', meta: {} };
    const { log } = recordedLog();
    const registry = new Registry({ store: redis.store('vane'), clock: systemClock, log, node });
    await registry.start();
    const both: VipUnderTest[] = [];
    for (const service of ['one', 'other']) {
      both.push(await startVip(pair, { ...PROMOTE, service }, { registry }));
    }
    for (const vip of both) {
      await vip.leadsTo('db1');
      await replicates(vip, 'db2');
    }
    const [decides, follows] = await eventually(() => {
      const all = both.toSorted((a) => (a.view().lead === 'self' ? -1 : 1));
      expect(all.map((vip) => vip.view().lead)).toEqual(['self', 'other']);
      return all as [VipUnderTest, VipUnderTest];
    });
    expect(await follows.order({ do: 'switchover', to: 'db2' })).toMatch(/^this Vane does not hold the lock/);
    await pair.master.end('SIGKILL');
    for (const vip of both) {
      await vip.leadsTo('db2');
      await eventually(() => expect(vip.view()).toMatchObject({ phase: 'PROMOTED', demoted: 'db1' }));
    }
    const connection = await createConnection(follows.rw);
    await connection.query('INSERT INTO t (client, seq, srv) VALUES (95, 1, @@server_id)');
    connection.destroy();
    // What joins again by the one has joined for the other.
    await pair.master.start('--read-only');
    await eventually(() => expect(decides.view().servers[0]).toMatchObject({ up: true, writable: false }));
    expect(await follows.order({ do: 'rejoin', server: 'db1' })).toMatch(/^this Vane does not hold the lock/);
    expect(await decides.order({ do: 'rejoin', server: 'db1' })).toBeUndefined();
    await eventually(() => expect(follows.view()).toMatchObject({ phase: 'MASTER', demoted: undefined }));
    for (const vip of both) await vip[Symbol.asyncDispose]();
    await registry.stop(systemClock.now() + 1_000);
  });

  test('a fence that fails keeps the slave a slave, which clients can read', async () => {
    const promote = PROMOTE.promote && {
      ...PROMOTE.promote,
      hooks: {
        ...PROMOTE.promote.hooks,
        fence: ['/bin/sh', '-c', 'echo no power switch; exit 3'],
        failed: ['/bin/sh', '-c', `echo $VIP_NAME $VIP_EPOCH > ${folder}/failed`],
      },
    };
    await using vip = await startVip(pair, { ...PROMOTE, promote });
    await vip.leadsTo('db1');
    await replicates(vip, 'db2');
    await pair.master.end('SIGKILL');
    await vip.leadsTo('db2');
    expect(vip.view()).toMatchObject({ phase: 'DEGRADED', epoch: 2 });
    const [alarm] = vip.view().alarms;
    expect(alarm).toMatchObject({
      kind: 'not-promoted',
      why: expect.stringContaining('ended with 3: no power switch'),
    });
    expect(readFileSync(join(folder, 'failed'), 'utf8')).toBe('main 1\n');
    const [row] = await pair.slave.sql('SELECT @@read_only AS ro');
    expect(row?.ro).toBe(1);
  });

  test('a switchover whose slave cannot catch up is taken back: the master takes writes again', async () => {
    const promote = PROMOTE.promote && { ...PROMOTE.promote, applyWait: 1_000 };
    await using vip = await startVip(pair, { ...PROMOTE, promote });
    await vip.leadsTo('db1');
    await replicates(vip, 'db2');
    // It still says that it replicates, while it waits for this lock.
    const blocker = await pair.slave.login({ user: 'root', password: '' });
    await blocker.query('LOCK TABLES test.t WRITE');
    await pair.master.sql('INSERT INTO test.t (client, seq, srv) VALUES (96, 1, 1)');
    expect(await vip.order({ do: 'switchover', to: 'db2' })).toBeUndefined();
    await eventually(() => expect(vip.view()).toMatchObject({ phase: 'MASTER', target: 'db1', epoch: 2 }));
    blocker.destroy();
    expect(vip.view().reason).toContain('db2 has not caught up');
    await pair.master.sql('INSERT INTO test.t (client, seq, srv) VALUES (96, 2, 1)');
    const [row] = await pair.master.sql('SELECT @@read_only AS ro');
    expect(row?.ro).toBe(0);
  });
});
