import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { startVip, type VipUnderTest } from '../../helpers/mysql-vip.ts';
import { needs } from '../../helpers/needs.ts';
import { selfSigned } from '../../helpers/self-signed.ts';

/** A client that says this much, in this many bytes, and leaves when it has been greeted. */
async function greetedAndGone(port: number, words: Buffer, end: 'fin' | 'reset'): Promise<void> {
  const socket: Socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('data', resolve));
  socket.write(words);
  if (end === 'fin') socket.end();
  else socket.resetAndDestroy();
  await new Promise((resolve) => (socket.closed ? resolve(undefined) : socket.once('close', resolve)));
}

needs('mariadbd', 'mariadb-server').describe('mysql-vip endpoint', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vane-tls-'));
    const { key, cert } = selfSigned();
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    writeFileSync(keyFile, key);
    writeFileSync(certFile, cert);
    pair = await mariadbPair(`--ssl-key=${keyFile}`, `--ssl-cert=${certFile}`);
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => pair.restore());

  const serverOf = async (connection: Connection) => {
    const [rows] = await connection.query<RowDataPacket[]>('SELECT @@server_id AS id');
    return rows[0]?.id;
  };
  const whoAnswers = async (account: VipUnderTest['rw']) => {
    const connection = await createConnection(account);
    try {
      return await serverOf(connection);
    } finally {
      connection.destroy();
    }
  };
  const preauth = async () => {
    const [row] = await pair.master.sql("SHOW GLOBAL STATUS LIKE 'Aborted_connects_preauth'");
    return Number(row?.Value);
  };

  test('leads writing to the master and reading to the slave', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    await eventually(async () => expect(await whoAnswers(vip.ro)).toBe(2));
    expect(await whoAnswers(vip.rw)).toBe(1);
    // A slave that takes writes is no slave: what reads must not be able to write there.
    const reader = await createConnection(vip.ro);
    const told = new Promise<{ code: unknown }>((resolve) => reader.once('error', resolve));
    await pair.slave.sql('SET GLOBAL read_only=0');
    expect((await told).code).toBe(1053);
    expect(await whoAnswers(vip.ro)).toBe(1);
  });

  test('passes on a login that is refused', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    await expect(createConnection({ ...vip.rw, password: 'wrong' })).rejects.toMatchObject({ errno: 1045 });
  });

  test('passes on a large answer and a large question, whole', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    const connection = await createConnection(vip.rw);
    const large = 'x'.repeat(5_000_000);
    const [rows] = await connection.query<RowDataPacket[]>('SELECT ? AS words', [large]);
    expect(rows[0]?.words === large).toBe(true);
    const [prepared] = await connection.execute<RowDataPacket[]>('SELECT seq + ? AS n FROM t LIMIT 1', [1]);
    expect(prepared).toEqual([]);
    connection.destroy();
  });

  test('passes TLS through; a session that it cannot follow is closed without a word', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    const connection = await createConnection({ ...vip.rw, ssl: { rejectUnauthorized: false } });
    const [rows] = await connection.query<RowDataPacket[]>("SHOW STATUS LIKE 'Ssl_cipher'");
    expect(rows[0]?.Value).toMatch(/^TLS_/);
    const ended = new Promise<{ code: unknown }>((resolve) => connection.once('error', resolve));
    await pair.master.end();
    expect((await ended).code).toBe('PROTOCOL_CONNECTION_LOST');
    expect(vip.view().totals.ended).toEqual({ told: 0, closed: 1 });
    await pair.master.start();
  });

  test('holds clients that come before there is a server, and tells them after their time', async () => {
    await using vip = await startVip(pair, {
      servers: [
        { id: 'db1', role: 'master', host: '127.0.0.1', port: 1 },
        { id: 'db2', role: 'slave', host: '127.0.0.1', port: 2 },
      ],
      hold: { time: 300, max: 2 },
    });
    const clients = [1, 2, 3].map(() =>
      createConnection(vip.rw).then(
        () => 'let in',
        (error) => error.code,
      ),
    );
    expect((await Promise.all(clients)).sort()).toEqual([
      'ER_CON_COUNT_ERROR',
      'ER_SERVER_SHUTDOWN',
      'ER_SERVER_SHUTDOWN',
    ]);
    expect(vip.view().totals.held).toMatchObject({ late: 2, full: 1 });
  });

  test('holds clients over a failover: none of them sees it', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    await pair.master.end();
    expect(await Promise.all(Array.from({ length: 20 }, () => whoAnswers(vip.rw)))).toEqual(
      Array(20).fill(2),
    );
    await pair.master.start();
  });

  test('stays with the one that had the writes when both take them, and says so', async () => {
    await using vip = await startVip(pair, { failback: { policy: 'automatic', stable: 0 } });
    await vip.leadsTo('db1');
    await pair.slave.sql('SET GLOBAL read_only=0');
    await eventually(() => expect(vip.view().alarms.map(({ kind }) => kind)).toContain('split'));
    expect(await whoAnswers(vip.rw)).toBe(1);
    // Not even its death leads to one that takes writes.
    await pair.master.end();
    await vip.leadsTo(undefined);
    expect(vip.view().phase).toBe('NONE');
    await pair.master.start();
    await vip.leadsTo('db1');
  });

  test('does not leave a master that is full', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    await pair.master.sql('SET GLOBAL max_connections=10');
    const taken: Connection[] = [];
    const fill = async () => {
      for (;;) taken.push(await createConnection(vip.rw));
    };
    await expect(fill()).rejects.toMatchObject({ code: 'ER_CON_COUNT_ERROR' });
    // The monitor has to log in anew, and is not let in: sooner or later somebody else gets its place.
    await eventually(async () => {
      await pair.master.sql('KILL CONNECTION USER vipmon');
      await fill().catch(() => {});
      expect(vip.view().servers[0]?.probes.failed.overloaded).toBeGreaterThan(3);
    }, 20_000);
    expect(vip.view()).toMatchObject({ phase: 'MASTER', target: 'db1', epoch: 1 });
    expect(vip.view().alarms).toMatchObject([{ kind: 'overloaded', server: 'db1' }]);
    for (const connection of taken) connection.destroy();
    await eventually(() => expect(vip.view().alarms).toEqual([]));
  });

  test('has clients that leave without a login count as none at the server', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    const none = Buffer.alloc(0);
    // What a server counts that is reached directly: else the rest would prove nothing.
    const before = await preauth();
    await greetedAndGone(pair.master.port, none, 'fin');
    await eventually(async () => expect(await preauth()).toBe(before + 1));

    const half = Buffer.from([0x40, 0, 0, 1, 0x0d, 0xa6]);
    const http = Buffer.from('GET / HTTP/1.1\r\nHost: db\r\n\r\n');
    for (let i = 0; i < 40; i++) {
      const words = [none, half, http][i % 3] ?? none;
      await greetedAndGone(vip.port, words, i % 2 === 0 ? 'fin' : 'reset');
    }
    await eventually(() => expect(vip.view().totals.abortedLogins).toBe(40));
    expect(await whoAnswers(vip.rw)).toBe(1);
    expect(await preauth()).toBe(before + 1);
  });

  test('on the way back to the master lets a transaction end, and tells who is idle', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    await pair.master.end();
    await vip.leadsTo('db2');
    const [idle, busy] = await Promise.all([createConnection(vip.rw), createConnection(vip.rw)]);
    const told = new Promise<{ code: unknown }>((resolve) => idle.once('error', resolve));
    const ended = new Promise((resolve) => busy.once('error', resolve));
    await busy.query('START TRANSACTION');
    await busy.query('SELECT COUNT(*) FROM t');

    await pair.master.start();
    await eventually(() => expect(vip.view().phase).toBe('RECOVERING'));
    await vip.update({ failback: { policy: 'automatic', stable: 0 }, drain: 20_000 });
    await vip.leadsTo('db1');
    expect((await told).code).toBe(1053);
    expect(await serverOf(busy)).toBe(2);
    await busy.query('COMMIT');
    await ended;
  });

  test('cuts a session in a transaction without a word when its server dies: nobody knows what became of it', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    const connection = await createConnection(vip.rw);
    connection.on('error', () => {});
    await connection.query('BEGIN');
    const ended = connection.query('SELECT SLEEP(20)').then(
      () => undefined,
      ({ code }) => code,
    );
    await pair.master.end();
    expect(await ended).toBe('PROTOCOL_CONNECTION_LOST');
    await pair.master.start();
  });
});
