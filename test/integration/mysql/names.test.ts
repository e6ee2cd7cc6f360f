import { Resolver } from 'node:dns/promises';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { type AppUnderTest, startApp } from '../../helpers/app.ts';
import { eventually } from '../../helpers/eventually.ts';
import { APP, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { needs } from '../../helpers/needs.ts';

needs('mariadbd', 'mariadb-server').describe('mysql-vip in the registry', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  let folder: string;
  beforeAll(async () => {
    pair = await mariadbPair();
    folder = mkdtempSync(join(tmpdir(), 'vane-names-'));
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => pair.restore());

  const section = (more = '') => `mysql-vip:
  main:
    bind: 127.0.0.1:0
    bind-ro: 127.0.0.1:0
    servers:
      db1: { address: "${pair.master.address}", role: master }
      db2: { address: "${pair.slave.address}", role: slave }
    monitor: { user: vipmon, password: mon, interval: 500ms }
    drain: 1s
    ${more}`;

  /** Instances by status: `mysql-vip@db1`. */
  const instances = async (app: AppUnderTest, status: 'passing' | 'critical') => {
    const answer = await fetch(`${app.registry}/v1/health/state/${status}`);
    const checks = (await answer.json()) as { ServiceID: string }[];
    return checks
      .map(({ ServiceID }) => ServiceID)
      .filter((id) => id.startsWith('mysql-'))
      .sort();
  };
  const ports = async (app: AppUnderTest, name: string) => {
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${app.app.ports.registryDns}`]);
    const answers = await resolver.resolveSrv(`${name}.service.consul`).catch(() => []);
    return answers.map(({ port }) => port);
  };
  const NORMAL = ['mysql-master@db1', 'mysql-slave@db2', 'mysql-vip@db1'];

  test('four instances, of which those pass that clients may use, and one name that leads to the target', async () => {
    await using app = await startApp(section('failback: { policy: automatic }'));
    await eventually(async () => expect(await instances(app, 'passing')).toEqual(NORMAL));
    expect(await instances(app, 'critical')).toEqual(['mysql-vip@db2']);
    expect(await ports(app, 'mysql-vip')).toEqual([pair.master.port]);
    expect(await ports(app, 'master.mysql-vip')).toEqual([pair.master.port]);

    // Never two at once, however closely one looks.
    const seen = new Set<string>();
    let looking = true;
    const look = (async () => {
      while (looking) seen.add((await ports(app, 'mysql-vip')).sort().join('+'));
    })();
    await pair.master.end();
    await eventually(async () => expect(await ports(app, 'mysql-vip')).toEqual([pair.slave.port]));
    expect(await ports(app, 'degraded.mysql-vip')).toEqual([pair.slave.port]);
    expect(await ports(app, 'master.mysql-vip')).toEqual([]);
    expect(await instances(app, 'passing')).toEqual(['mysql-slave@db2', 'mysql-vip@db2']);
    await pair.master.start();
    await eventually(async () => expect(await ports(app, 'mysql-vip')).toEqual([pair.master.port]), 10_000);
    looking = false;
    await look;
    const both = [pair.master.port, pair.slave.port].sort().join('+');
    expect([...seen]).not.toContain(both);
  });

  test('a master whose node has lost its agent is left, gently, and gone back to', async () => {
    const nodes = section('failback: { policy: automatic }\n    registry: { agent-grace: 0 }').replace(
      'role: master',
      'role: master, node: host1',
    );
    await using app = await startApp(nodes);
    const agent = async (Status: string) => {
      const Check = { Node: 'host1', CheckID: 'serfHealth', Name: 'Serf Health Status', Status };
      const body = JSON.stringify({ Node: 'host1', Address: '127.0.0.1', Check });
      const { status } = await fetch(`${app.registry}/v1/catalog/register`, { method: 'PUT', body });
      expect(status).toBe(200);
    };
    await agent('passing');
    await eventually(async () => expect(await instances(app, 'passing')).toEqual(NORMAL));
    await agent('critical');
    await eventually(async () => expect(await ports(app, 'mysql-vip')).toEqual([pair.slave.port]));
    const text = await (await fetch(`${app.stats}/mysql-vip`)).text();
    expect(JSON.parse(text)[0]).toMatchObject({ alarms: [{ kind: 'agent-lost', server: 'db1' }] });
    await agent('passing');
    await eventually(async () => expect(await ports(app, 'mysql-vip')).toEqual([pair.master.port]));
  });

  test('addresses have a TTL of 0', async () => {
    await using app = await startApp(section());
    await eventually(async () => expect(await instances(app, 'passing')).toEqual(NORMAL));
    const resolver = new Resolver();
    resolver.setServers([`127.0.0.1:${app.app.ports.registryDns}`]);
    expect(await resolver.resolve4('mysql-vip.service.consul', { ttl: true })).toEqual([
      { address: '127.0.0.1', ttl: 0 },
    ]);
  });

  test('what a run that was killed left behind does not mislead the next one', async () => {
    const app = await startApp(section(), folder);
    await eventually(async () => expect(await instances(app, 'passing')).toEqual(NORMAL));
    // As a crash leaves it: what is stopped in order takes itself out.
    await app.register({
      ...{ ID: 'mysql-vip@db9', Name: 'mysql-vip', Port: 1, Meta: { 'vane-mysql-vip': 'gone' } },
    });
    await app.app.stop();

    await using next = await startApp('', folder);
    expect(await ports(next, 'mysql-vip')).toEqual([]);
    expect(await instances(next, 'critical')).toEqual([]);
  });

  test('a reload takes a section in and out, and changes one without its sessions', async () => {
    await using app = await startApp('');
    await app.reload(section());
    await eventually(async () => expect(await instances(app, 'passing')).toEqual(NORMAL));
    const { ports: at } = app.app;
    const port = at.mysqlVips.find(({ side }) => side === 'rw')?.port ?? 0;
    const connection = await createConnection({ host: '127.0.0.1', port, ...APP, database: 'test' });
    connection.on('error', () => {});

    const changes = await app.reload(section('hold: { time: 1s }'));
    expect(changes).toEqual([{ kind: 'changed', section: 'mysql-vip', name: 'main' }]);
    const [rows] = await connection.query<RowDataPacket[]>('SELECT @@server_id AS id');
    expect(rows).toEqual([{ id: 1 }]);

    // Other names are another VIP, at the same address.
    const ended = new Promise((resolve) => connection.once('error', resolve));
    await app.reload(section('service: orders'));
    await ended;
    expect(await instances(app, 'passing')).toEqual([]);
    await eventually(async () => expect(await ports(app, 'orders-vip')).toEqual([pair.master.port]));
    const next = await createConnection({ host: '127.0.0.1', port, ...APP, database: 'test' });
    next.destroy();

    await app.reload('');
    await eventually(async () => expect(await ports(app, 'orders-vip')).toEqual([]));
    await expect(createConnection({ host: '127.0.0.1', port, ...APP })).rejects.toThrow();
  });

  test('metrics tell the state, the target and what is known of the servers', async () => {
    await using app = await startApp(section());
    await eventually(async () => expect(await instances(app, 'passing')).toEqual(NORMAL));
    const text = await (await fetch(`${app.stats}/metrics`)).text();
    expect(text).toContain('vane_mysql_state{vip="main",state="MASTER"} 1');
    expect(text).toContain('vane_mysql_target{vip="main",server="db1"} 1');
    expect(text).toContain('vane_mysql_server_writable{vip="main",server="db2"} 0');
  });
});
