import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { createConnection } from 'mysql2/promise';
import { afterAll, beforeAll, expect } from 'vitest';
import { CLIENT_DEPRECATE_EOF } from '../../../src/mysql/protocol/capabilities.ts';
import { parseGreeting } from '../../../src/mysql/protocol/greeting.ts';
import { judgeLogin } from '../../../src/mysql/protocol/login.ts';
import { firstPacket, packet } from '../../../src/mysql/protocol/packets.ts';
import { SessionFollower } from '../../../src/mysql/protocol/session-phase.ts';
import { eventually } from '../../helpers/eventually.ts';
import { APP, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { needs } from '../../helpers/needs.ts';

const run = promisify(execFile);

/**
 * Passes a session through and follows it. A client that waits for each answer before it says anything else proves the
 * follower right: when it speaks, the session must not seem busy; when the server speaks, it must not seem idle.
 */
class Tap {
  readonly #server: Server;
  readonly wrong: string[] = [];
  readonly seen = new Set<string>();
  commands = 0;
  last: SessionFollower | undefined;

  constructor(target: number) {
    this.#server = createServer((client) => this.#pass(client, connect(target, '127.0.0.1')));
  }

  async listen(): Promise<number> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return (this.#server.address() as AddressInfo).port;
  }

  close(): void {
    this.#server.close();
  }

  #pass(client: Socket, server: Socket): void {
    let follower: SessionFollower | undefined;
    let capabilities: number | undefined;
    client.on('error', () => {}).on('close', () => server.destroy());
    server.on('error', () => {}).on('close', () => client.destroy());
    client.on('data', (bytes) => {
      if (follower) this.#clientSays(follower, bytes);
      else {
        const login = judgeLogin(bytes);
        if (login.kind !== 'whole') throw new Error('a login in pieces');
        follower = new SessionFollower(login.capabilities & (capabilities ?? 0), login.encrypted);
        this.last = follower;
        follower.fromClient(bytes);
      }
      server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (!follower) capabilities = parseGreeting(firstPacket(bytes)?.payload ?? bytes)?.capabilities;
      else {
        if (['idle', 'transaction'].includes(follower.phase))
          this.wrong.push(`server spoke: ${bytes.toString('hex', 0, 20)}`);
        follower.fromServer(bytes);
        this.seen.add(follower.phase);
      }
      client.write(bytes);
    });
  }

  #clientSays(follower: SessionFollower, bytes: Buffer): void {
    const { phase } = follower;
    const isCommand = bytes[3] === 0 && phase !== 'login';
    if (isCommand) this.commands++;
    if (isCommand && !['idle', 'transaction'].includes(phase)) {
      this.wrong.push(`client spoke while ${phase}: ${bytes.toString('hex', 0, 20)}`);
    }
    follower.fromClient(bytes);
    this.seen.add(follower.phase);
  }
}

/** Logs in as libraries of MySQL 8 do, which have results end by an OK packet; resolves when that has been sent. */
async function rawLogin(port: number): Promise<Socket> {
  const client = connect(port, '127.0.0.1');
  const greeting = await new Promise<Buffer>((resolve) => client.once('data', resolve));
  client.resume();
  const { payload } = firstPacket(greeting) ?? { payload: greeting };
  const at = payload.indexOf(0, 1) + 5;
  const scramble = Buffer.concat([payload.subarray(at, at + 8), payload.subarray(at + 27, at + 39)]);
  const sha1 = (...parts: readonly Buffer[]) => createHash('sha1').update(Buffer.concat(parts)).digest();
  const once = sha1(Buffer.from(APP.password));
  const mask = sha1(scramble, sha1(once));
  const proof = once.map((byte, i) => byte ^ (mask[i] ?? 0));
  const fixed = Buffer.alloc(32);
  // Long password, database, protocol 4.1, transactions, 4.1 passwords, several statements and results, plugins.
  fixed.writeUInt32LE(0x1 | 0x8 | 0x200 | 0x2000 | 0x8000 | (7 << 16) | (1 << 19) | CLIENT_DEPRECATE_EOF);
  fixed.writeUInt32LE(0xffffff, 4);
  fixed.writeUInt8(33, 8);
  const words = [
    Buffer.from(`${APP.user}\0`),
    Buffer.from([proof.length]),
    proof,
    Buffer.from('test\0mysql_native_password\0'),
  ];
  client.write(packet(1, Buffer.concat([fixed, ...words])));
  return client;
}

needs('mariadbd', 'mariadb-server').describe('a session with MariaDB is followed', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  let folder: string;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vane-follow-'));
    pair = await mariadbPair('--local-infile=1', '--max-allowed-packet=64M');
    await pair.master.sql(
      'CREATE PROCEDURE test.two() BEGIN SELECT 1; SELECT 2, 3; END',
      "GRANT ALL ON test.* TO 'app'@'%'",
    );
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const through = async (work: (port: number, tap: Tap) => Promise<void>) => {
    const tap = new Tap(pair.master.port);
    try {
      await work(await tap.listen(), tap);
      expect(tap.wrong).toEqual([]);
      expect(tap.commands).toBeGreaterThan(0);
    } finally {
      tap.close();
    }
    return tap;
  };
  const login = (port: number, more = {}) =>
    createConnection({
      host: '127.0.0.1',
      port,
      ...APP,
      database: 'test',
      multipleStatements: true,
      ...more,
    });

  test('by mysql2, with all that it can ask', async () => {
    const tap = await through(async (port) => {
      const connection = await login(port, {
        infileStreamFactory: () => Readable.from([Buffer.from('1\t1\t1\n'), Buffer.from('2\t2\t1\n')]),
      });
      await connection.query('SELECT 1');
      await connection.query('SELECT * FROM t WHERE 1 = 0');
      await connection.query('SELECT seq FROM seq_1_to_2000').catch(() => {});
      await connection.query('nonsense').catch(() => {});
      await connection.query('SELECT 1; SELECT 2; INSERT INTO t (client) VALUES (1); SELECT 3');
      await connection.query('CALL two()');
      await connection.query("SELECT REPEAT('x', 20000000) AS large");
      await connection.query("LOAD DATA LOCAL INFILE 'x' INTO TABLE t (client, seq, srv)");
      await connection.execute('SELECT client, seq FROM t WHERE client > ?', [0]);
      await connection.execute('SELECT client, seq FROM t WHERE client > ?', [1]);
      await connection.execute('INSERT INTO t (client) VALUES (?)', [5]);
      await connection.execute('DO 1');
      await connection.execute('SELECT nonsense').catch(() => {});
      const prepared = await connection.prepare('SELECT ?, ?');
      await prepared.execute([1, 2]);
      await prepared.close();
      await connection.beginTransaction();
      await connection.query('INSERT INTO t (client) VALUES (7)');
      await connection.query('nonsense').catch(() => {});
      await connection.commit();
      await connection.ping();
      await connection.changeUser({ ...APP, database: 'test' });
      await connection.query('SET autocommit = 0');
      await connection.query('SELECT COUNT(*) FROM t');
      await connection.rollback();
      await connection.end();
    });
    await eventually(() => expect(tap.last?.phase).toBe('quit'));
    expect([...tap.seen].sort()).toEqual(['busy', 'idle', 'login', 'quit', 'transaction']);
  });

  test('by the command line client', async () => {
    const file = join(folder, 'data');
    writeFileSync(file, '9\t9\t1\n'.repeat(20_000));
    const statements = [
      'SELECT 1',
      'SHOW TABLES',
      'BEGIN',
      `LOAD DATA LOCAL INFILE '${file}' INTO TABLE t (client, seq, srv)`,
      'SELECT * FROM t',
      'ROLLBACK',
      'CALL two()',
      'ALTER TABLE t ADD COLUMN more INT',
      "PREPARE p FROM 'SELECT 1'",
      'EXECUTE p',
    ];
    const tap = await through(async (port) => {
      const account = ['-h127.0.0.1', `-P${port}`, `-u${APP.user}`, `-p${APP.password}`, '--skip-ssl'];
      await run(
        'mariadb',
        ['--no-defaults', ...account, '--local-infile=1', '-e', statements.join(';'), 'test'],
        { maxBuffer: 64e6 },
      );
    });
    expect(tap.seen).toContain('transaction');
  });

  test('by a client that is told where results end as newer ones are', async () => {
    const statements = [
      'SELECT 1',
      'SELECT * FROM t WHERE 1 = 0',
      'nonsense',
      'SELECT 1; DO 1; SELECT 2, 3',
      'CALL two()',
      'BEGIN',
      "SELECT REPEAT('x', 300000)",
      'SELECT * FROM t',
      'COMMIT',
    ].map((sql) => Buffer.concat([Buffer.from([0x03]), Buffer.from(sql)]));
    const others = ['0e', '09', '1f', '1653454c4543542031', '170100000000010000000000', '1901000000'];
    const commands = [...statements, ...others.map((hex) => Buffer.from(hex, 'hex'))];
    const phases: string[] = [];
    await through(async (port, tap) => {
      const client = await rawLogin(port);
      await eventually(() => expect(tap.last?.phase).toBe('idle'));
      for (const [i, command] of commands.entries()) {
        client.write(packet(0, command));
        await eventually(() => expect(tap.commands).toBe(i + 1));
        await eventually(() => expect(tap.last?.phase).not.toBe('busy'));
        phases.push(tap.last?.phase ?? '');
      }
      client.destroy();
    });
    const inTransaction = ['transaction', 'transaction', 'transaction'];
    expect(phases).toEqual([...Array(5).fill('idle'), ...inTransaction, ...Array(7).fill('idle')]);
  });
});
