import { connect, type Socket } from 'node:net';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { errorPacket } from '../../../src/mysql/protocol/error-packet.ts';
import { eventually } from '../../helpers/eventually.ts';
import { freeAddresses } from '../../helpers/free-port.ts';
import { type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { startVip } from '../../helpers/mysql-vip.ts';
import { needs } from '../../helpers/needs.ts';
import { TcpBench } from '../../helpers/tcp-sockets.ts';

const HEAD = 'PROXY TCP4 127.9.9.9 127.0.0.1 4711 3306\r\n';

needs('mariadbd', 'mariadb-server').describe('sessions of a mysql-vip', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  const bench = new TcpBench();
  beforeAll(async () => {
    pair = await mariadbPair('--proxy-protocol-networks=127.0.0.0/8');
    // What the documentation asks for, for what this is about.
    await pair.master.sql("GRANT PROCESS, CONNECTION ADMIN, RELOAD ON *.* TO 'vipmon'@'%'");
  });
  afterAll(async () => {
    await bench.close();
    await pair?.[Symbol.asyncDispose]();
  });
  beforeEach(() => pair.restore());

  const processesOf = async (server: 'master' | 'slave') =>
    (
      await pair[server].sql("SELECT ID, HOST, INFO FROM information_schema.PROCESSLIST WHERE USER='app'")
    ).map((row) => ({ host: String(row.HOST), info: row.INFO }));

  test('that were broken off while their server did something are ended there by their ids', async () => {
    await using vip = await startVip(pair, { drain: 200 });
    await vip.leadsTo('db1');
    await pair.master.end();
    await vip.leadsTo('db2');
    const client = await createConnection(vip.rw);
    const ended = client.query('SELECT SLEEP(120)').catch((error) => error.code);
    await eventually(async () => expect(await processesOf('slave')).toHaveLength(1));
    await pair.master.start();
    await vip.update({ failback: { policy: 'automatic', stable: 0 } });
    await vip.leadsTo('db1');
    expect(await ended).toBe('PROTOCOL_CONNECTION_LOST');
    // SLEEP would go on for two minutes: MariaDB does not look whether its client is there.
    await eventually(async () => expect(await processesOf('slave')).toEqual([]));
    await eventually(() =>
      expect(vip.view().totals).toMatchObject({ unknown: 1, orphans: { killed: 1, gone: 0, refused: 0 } }),
    );
  });

  test('of a server that hung are ended when it answers again, and nobody else', async () => {
    await using vip = await startVip(pair, {
      failover: { mode: 'degrade', unreachableWait: 0, maxStale: 3_600_000 },
    });
    await vip.leadsTo('db1');
    const [busy, open, other] = await Promise.all([
      createConnection(vip.rw),
      createConnection(vip.rw),
      pair.master.login({ user: 'app', password: 'app' }),
    ]);
    await open.query('BEGIN');
    await open.query('INSERT INTO t (client, seq, srv) VALUES (1, 1, 1)');
    const outcomes = [
      busy.query('SELECT SLEEP(120)').catch((error) => error.code),
      new Promise((resolve) => open.once('error', (error) => resolve(error.code))),
    ];
    await eventually(async () => {
      const infos = (await processesOf('master')).map(({ info }) => info);
      expect(infos).toContain('SELECT SLEEP(120)');
    });
    pair.master.signal('SIGSTOP');
    await vip.leadsTo('db2', 20_000);
    expect(await Promise.all(outcomes)).toEqual(['PROTOCOL_CONNECTION_LOST', 'PROTOCOL_CONNECTION_LOST']);
    pair.master.signal('SIGCONT');
    await eventually(async () => expect(await processesOf('master')).toHaveLength(1), 10_000);
    await eventually(() => {
      const { orphans, unknown } = vip.view().totals;
      // The one that was only waiting may have noticed by itself.
      expect([orphans.killed + orphans.gone, orphans.killed > 0, unknown]).toEqual([2, true, 1]);
    });
    await other.query('SELECT 1');
    other.destroy();
    const [row] = await pair.master.sql('SELECT COUNT(*) AS n FROM test.t');
    expect(row?.n).toBe(0);
  });

  test('bring their clients in by the PROXY protocol, and pass them on to the server', async () => {
    for (const sendProxy of ['v1', 'v2'] as const) {
      await using vip = await startVip(pair, {
        bind: [{ host: '127.0.0.1', port: 0, expectProxy: { from: undefined } }],
        servers: [
          { id: 'db1', role: 'master', host: '127.0.0.1', port: pair.master.port, sendProxy },
          { id: 'db2', role: 'slave', host: '127.0.0.1', port: pair.slave.port, sendProxy },
        ],
      });
      await vip.leadsTo('db1');
      const stream = connect({ port: vip.port, host: '127.0.0.1' });
      stream.write(HEAD);
      const client: Connection = await createConnection({ ...vip.rw, stream: () => stream });
      const [rows] = await client.query<RowDataPacket[]>('SELECT USER() AS who');
      expect(rows[0]?.who).toBe('app@127.9.9.9');
      client.destroy();
      // No head, no word.
      const lost = createConnection(vip.rw).catch((error) => error.code);
      expect(['ECONNRESET', 'PROTOCOL_CONNECTION_LOST']).toContain(await lost);
    }
  });

  test('are kept from counting at the server: 1,000 of them, which leave without a login', async () => {
    const preauth = async () => {
      const [row] = await pair.master.sql("SHOW GLOBAL STATUS LIKE 'Aborted_connects_preauth'");
      return Number(row?.Value);
    };
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    await pair.master.sql('SET GLOBAL max_connect_errors=1');
    const before = await preauth();
    const scan = () =>
      new Promise<void>((resolve) => {
        const socket: Socket = connect({ port: vip.port, host: '127.0.0.1' });
        socket.on('error', () => {}).once('close', () => resolve());
        socket.once('data', () => socket.destroy());
      });
    for (let i = 0; i < 100; i++) await Promise.all(Array.from({ length: 10 }, scan));
    await eventually(() => expect(vip.view().totals.abortedLogins).toBe(1_000));
    expect(await preauth()).toBe(before);
    const client = await createConnection(vip.rw);
    await client.query('SELECT 1');
    client.destroy();
  });

  test('are let in again by a server that has shut this host out', async () => {
    // The real server does that only to hosts with names. This one stands before it, and is asked the same.
    let isBlocked = false;
    const { port } = await bench.listen((socket) => {
      if (isBlocked) {
        socket.end(errorPacket(0, { code: 1129, state: undefined, message: 'Host is blocked' }));
        return;
      }
      const server = connect({ port: pair.master.port, host: '127.0.0.1' });
      for (const [from, to] of [
        [socket, server],
        [server, socket],
      ] as const) {
        from.on('error', () => {}).on('close', () => to.destroy());
        from.on('data', (bytes: Buffer) => {
          if (bytes.includes('FLUSH HOSTS')) isBlocked = false;
          to.write(bytes);
        });
      }
    });
    await using vip = await startVip(pair, {
      servers: [
        { id: 'db1', role: 'master', host: '127.0.0.1', port },
        { id: 'db2', role: 'slave', host: '127.0.0.1', port: pair.slave.port },
      ],
    });
    await vip.leadsTo('db1');
    isBlocked = true;
    await expect(createConnection(vip.rw)).rejects.toMatchObject({ errno: 1129 });
    await eventually(async () => {
      const client = await createConnection(vip.rw);
      client.destroy();
    }, 10_000);
    expect(vip.lines.map(({ message }) => message)).toContain(
      'mysql-vip main: db1 had shut this host out, and lets it in again',
    );
    expect(vip.view()).toMatchObject({ target: 'db1', epoch: 1 });
  });

  test('that wait are let go at a pace, and all are served', async () => {
    const [down = ''] = await freeAddresses(1);
    await using vip = await startVip(pair, {
      servers: [
        { id: 'db1', role: 'master', host: '127.0.0.1', port: pair.master.port },
        { id: 'db2', role: 'slave', host: '127.0.0.1', port: Number(down.split(':')[1]) },
      ],
    });
    await vip.leadsTo('db1');
    await pair.master.end();
    await vip.leadsTo(undefined);
    let logins = 0;
    const all = Array.from({ length: 30 }, async () => {
      const client = await createConnection(vip.rw);
      logins++;
      client.destroy();
    });
    await eventually(() => expect(vip.view().held).toBe(30));
    await pair.master.start();
    await Promise.all(all);
    expect(logins).toBe(30);
    expect(vip.view().totals.held).toMatchObject({ served: 30, late: 0, full: 0 });
  });
});
