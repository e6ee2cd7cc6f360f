import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { startApp } from '../../helpers/app.ts';
import { eventually } from '../../helpers/eventually.ts';
import { type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { MysqlNode } from '../../helpers/mysql-node.ts';
import { needs } from '../../helpers/needs.ts';
import { RedisServer } from '../../helpers/redis-server.ts';

needs('redis-server', 'redis-server').describe('several Vanes with one mysql-vip', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  let redis: RedisServer;
  beforeAll(async () => {
    [pair, redis] = await Promise.all([mariadbPair(), RedisServer.start()]);
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
    await redis?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await pair.restore();
    await redis.ask((client) => client.flushall());
  });

  const vip = () => `servers:
  db1: { address: "${pair.master.address}", role: master }
  db2: { address: "${pair.slave.address}", role: slave }
monitor: { user: vipmon, password: mon, interval: 500ms }
failback: { policy: automatic }`;
  const node = (name: string) =>
    MysqlNode.start(name, {
      registry: `store: "redis://127.0.0.1:${redis.port}", redis: { lease: 3s }`,
      sections: '',
      vip: vip(),
    });
  const nodeWith = (consul: string, name: string) =>
    MysqlNode.start(name, {
      registry: '',
      sections: `resolvers: { corp: { consul: "${consul}" } }`,
      vip: `${vip()}\nregistry: { services: corp, lock: corp }`,
    });

  /** Waits until all lead there, with the same epoch, which is told. */
  const allLeadTo = (target: string, nodes: readonly MysqlNode[], withinMs = 20_000) =>
    eventually(async () => {
      const views = await Promise.all(nodes.map((one) => one.view()));
      const [epoch = -1] = views.map((view) => view.epoch);
      for (const view of views) expect(view).toMatchObject({ target, epoch });
      return epoch;
    }, withinMs);
  const leads = async (nodes: readonly MysqlNode[]) =>
    (await Promise.all(nodes.map((one) => one.view()))).map(({ lead }) => lead);
  const serverBehind = async ({ client }: MysqlNode) => {
    const connection = await createConnection(client);
    const [rows] = await connection.query<RowDataPacket[]>('SELECT @@server_id AS id');
    connection.destroy();
    return rows[0]?.id;
  };

  /** Takes the master away, and gives it back. */
  const moveTogether = async (both: readonly [MysqlNode, MysqlNode]) => {
    expect(await allLeadTo('db1', both)).toBe(1);
    expect((await leads(both)).sort()).toEqual(['other', 'self']);

    const seen = new Map<number, Set<string>>();
    let looking = true;
    const look = (async () => {
      while (looking) {
        for (const { epoch, target } of await Promise.all(both.map((it) => it.view()))) {
          if (epoch === undefined || target === undefined) continue;
          seen.set(epoch, (seen.get(epoch) ?? new Set()).add(target));
        }
      }
    })();
    await pair.master.end();
    expect(await allLeadTo('db2', both)).toBe(2);
    expect(await Promise.all(both.map(serverBehind))).toEqual([2, 2]);
    await pair.master.start();
    expect(await allLeadTo('db1', both)).toBe(3);
    expect(await Promise.all(both.map(serverBehind))).toEqual([1, 1]);
    looking = false;
    await look;
    expect([...seen].map(([epoch, targets]) => [epoch, ...targets])).toEqual([
      [1, 'db1'],
      [2, 'db2'],
      [3, 'db1'],
    ]);
  };

  test('move together to the slave and back, in the same epochs, none of which has two targets', async () => {
    await using one = await node('lb-1');
    await using other = await node('lb-2');
    await moveTogether([one, other]);
  }, 60_000);

  test('do so by a Consul, too, whose agent shows their instances, and is told again when it has forgotten them', async () => {
    // Vane's own API is Consul's.
    let consul = await startApp('', undefined);
    const { registry } = consul;
    await using one = await nodeWith(registry, 'lb-1');
    await using other = await nodeWith(registry, 'lb-2');
    const passing = async () => {
      const answer = await fetch(`${registry}/v1/health/state/passing`);
      const checks = (await answer.json()) as { ServiceID: string }[];
      return checks.map(({ ServiceID }) => ServiceID).filter((id) => id.startsWith('mysql-'));
    };
    const NORMAL = ['lb-1', 'lb-2'].flatMap((lb) =>
      ['mysql-master@db1', 'mysql-slave@db2', 'mysql-vip@db1'].map((id) => `${id}@${lb}`),
    );
    await eventually(async () => expect((await passing()).sort()).toEqual(NORMAL.sort()));
    await moveTogether([one, other]);
    await eventually(async () => expect((await passing()).sort()).toEqual(NORMAL.sort()));
    // Nobody else registers them, and what is not renewed does not pass for long.
    const answer = await fetch(`${registry}/v1/agent/checks`);
    const checks = Object.values((await answer.json()) as Record<string, { Type: string }>);
    expect(checks.filter(({ Type }) => Type === 'ttl')).toHaveLength(8);
    expect((await (await fetch(`${one.http}/v1/agent/services`)).json()) as object).toEqual({});

    const { port } = new URL(registry);
    await consul.app.stop();
    consul = await startApp('', undefined, Number(port));
    await using _ = consul;
    await eventually(async () => expect((await passing()).sort()).toEqual(NORMAL.sort()), 30_000);
    // What had been agreed on is gone with it.
    await eventually(async () => expect(await allLeadTo('db1', [one, other])).toBe(4), 30_000);
  }, 120_000);

  test('an operator speaks to the one that decides, and the others follow it', async () => {
    await using one = await node('lb-1');
    await using other = await node('lb-2');
    await allLeadTo('db1', [one, other]);
    const [decides, follows] = (await one.view()).lead === 'self' ? [one, other] : [other, one];
    expect(await follows.order({ order: 'switchover' })).toMatch(/does not hold the lock/);
    // The slave's freshness may not be known yet.
    await eventually(async () => expect(await decides.order({ order: 'switchover' })).toBeUndefined());
    expect(await allLeadTo('db2', [one, other])).toBe(2);
    // What was said stands, though who has heard it is gone.
    await decides.stop();
    await eventually(async () => expect((await follows.view()).lead).toBe('self'), 20_000);
    expect(await follows.view()).toMatchObject({ target: 'db2', epoch: 2 });
    await eventually(async () => expect(await follows.order({ order: 'failback' })).toBeUndefined());
    expect(await allLeadTo('db1', [follows])).toBe(3);
  }, 90_000);

  test('one whose leader hangs, or whose registry is gone, leads to the slave by itself, and agrees again later', async () => {
    await using one = await node('lb-1');
    await using other = await node('lb-2');
    await allLeadTo('db1', [one, other]);
    const [decides, follows] = (await one.view()).lead === 'self' ? [one, other] : [other, one];
    decides.signal('SIGSTOP');
    await pair.master.end();
    await eventually(async () => expect((await follows.view()).target).toBe('db2'), 10_000);
    const { epoch, phase } = await follows.view();
    expect({ epoch, phase }).toEqual({ epoch: undefined, phase: 'DEGRADED' });
    decides.signal('SIGCONT');
    const agreed = await allLeadTo('db2', [one, other]);
    expect(agreed).toBe(2);

    redis.signal('SIGSTOP');
    await pair.master.start();
    const before = await Promise.all([one, other].map((it) => it.view()));
    expect(before.map(({ target }) => target)).toEqual(['db2', 'db2']);
    redis.signal('SIGCONT');
    expect(await allLeadTo('db1', [one, other], 40_000)).toBe(3);
  }, 90_000);
});
