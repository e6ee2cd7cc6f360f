import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { eventually } from '../../helpers/eventually.ts';
import { freeAddresses } from '../../helpers/free-port.ts';
import { caughtUp, type MariadbPair, mariadbPair } from '../../helpers/mariadb.ts';
import { startVip } from '../../helpers/mysql-vip.ts';
import { needs, needsPython } from '../../helpers/needs.ts';
import { PymysqlClient } from '../../helpers/pymysql.ts';
import { selfSigned } from '../../helpers/self-signed.ts';

const run = promisify(execFile);
const LARGE = 16_000_000;

/** What a program prints, or how it ended and what it said then. */
async function output(program: string, args: readonly string[]) {
  try {
    return (await run(program, args, { timeout: 60_000, maxBuffer: 2 * LARGE })).stdout;
  } catch (error) {
    const { code, stdout, stderr } = Object.assign({ code: 0, stdout: '', stderr: '' }, error);
    return `exit ${code}: ${stdout}${stderr}`;
  }
}

needs('mariadbd', 'mariadb-server').describe('clients of a mysql-vip', () => {
  const { test } = needs('mariadbd', 'mariadb-server');
  let pair: MariadbPair;
  let folder: string;
  /** Ports on which nobody listens. */
  let nowhere: number[];
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'vane-tls-'));
    const { key, cert } = selfSigned();
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    writeFileSync(keyFile, key);
    writeFileSync(certFile, cert);
    const limits = ['--max-allowed-packet=64M', '--tmp-memory-table-size=64M'];
    pair = await mariadbPair(`--ssl-key=${keyFile}`, `--ssl-cert=${certFile}`, ...limits);
    await pair.master.sql("GRANT INDEX, DROP ON test.* TO 'app'@'%'");
    nowhere = (await freeAddresses(2)).map((address) => Number(address.split(':')[1]));
  });
  afterAll(async () => {
    await pair?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(() => pair.restore());

  const nobody = () => [
    { id: 'db1', role: 'master' as const, host: '127.0.0.1', port: nowhere[0] ?? 0 },
    { id: 'db2', role: 'slave' as const, host: '127.0.0.1', port: nowhere[1] ?? 0 },
  ];
  const cli = (port: number, ...args: readonly string[]) => [
    ...['--no-defaults', '--protocol=tcp', '-h', '127.0.0.1', '-P', String(port), '-uapp', '-papp'],
    ...['--max-allowed-packet=64M', '--batch', '--skip-column-names', '--skip-ssl', ...args],
  ];

  for (const tls of [false, true]) {
    const how = tls ? 'over TLS' : 'in the clear';
    test(`mysql2 logs in, prepares, and moves 16 MB both ways ${how}`, async () => {
      await using vip = await startVip(pair);
      await vip.leadsTo('db1');
      const ssl = tls ? { ssl: { rejectUnauthorized: false } } : {};
      const client: Connection = await createConnection({ ...vip.rw, ...ssl });
      const large = 'x'.repeat(LARGE);
      const [[row]] = await client.execute<RowDataPacket[]>('SELECT LENGTH(?) AS length, ? AS words', [
        large,
        large,
      ]);
      expect([row?.length, row?.words === large]).toEqual([LARGE, true]);
      client.destroy();
    });

    needsPython('pymysql', 'python3-pymysql').test(
      `PyMySQL logs in and moves 16 MB both ways ${how}`,
      async () => {
        await using vip = await startVip(pair);
        await vip.leadsTo('db1');
        await using client = new PymysqlClient(vip.port, { tls });
        expect(await client.connected()).toBe('connected');
        expect(await client.large(LARGE)).toEqual([LARGE, LARGE, true]);
        const rows = (await client.query("SHOW STATUS LIKE 'Ssl_cipher'")) as string[][];
        expect(rows[0]?.[1] !== '').toBe(tls);
      },
    );

    test(`the command line logs in, prepares, and gets 16 MB ${how}`, async () => {
      await using vip = await startVip(pair);
      await vip.leadsTo('db1');
      const ssl = tls ? ['--ssl', '--skip-ssl-verify-server-cert'] : ['--skip-ssl'];
      const sql = `PREPARE p FROM 'SELECT ? + 1'; SET @a = 41; EXECUTE p USING @a; SELECT REPEAT('x', ${LARGE})`;
      const said = await output('mariadb', cli(vip.port, ...ssl, '-e', sql));
      const [first, second] = said.split('\n');
      expect([first, second?.length]).toEqual(['42', LARGE]);
    });
  }

  needs('sysbench', 'sysbench').test('sysbench runs transactions by prepared statements', async () => {
    await using vip = await startVip(pair);
    await vip.leadsTo('db1');
    const args = [
      ...['oltp_read_write', '--mysql-host=127.0.0.1', `--mysql-port=${vip.port}`],
      ...['--mysql-user=app', '--mysql-password=app', '--mysql-db=test', '--tables=1', '--table-size=500'],
      ...['--threads=4', '--time=2', '--db-ps-mode=auto'],
    ];
    expect(await output('sysbench', [...args, 'prepare'])).toContain(
      "Creating a secondary index on 'sbtest1'",
    );
    const said = await output('sysbench', [...args, 'run']);
    expect(said).toMatch(/transactions: +[1-9]\d* /);
    expect(said).toMatch(/reconnects: +0 /);
    await pair.master.sql('DROP TABLE test.sbtest1');
    await caughtUp(pair);
  });

  needsPython('pymysql', 'python3-pymysql').test('are held and then told 1053, each in its way', async () => {
    await using vip = await startVip(pair, { servers: nobody(), hold: { time: 300, max: 10 } });
    await using client = new PymysqlClient(vip.port);
    const [fromMysql2, fromPymysql, fromCli, fromCliWithTls] = await Promise.all([
      createConnection(vip.rw).catch(({ errno, message }) => ({ errno, message })),
      client.connected(),
      output('mariadb', cli(vip.port, '-e', 'SELECT 1')),
      output('mariadb', cli(vip.port, '--ssl', '-e', 'SELECT 1')),
    ]);
    expect(fromMysql2).toEqual({ errno: 1053, message: expect.stringMatching(/^vane: /) });
    // It takes the first six characters for an SQLSTATE, which there is none of before a greeting.
    expect(fromPymysql).toEqual({ error: 1053, text: 'no server can be used at the moment' });
    expect(fromCli).toMatch(/^exit 1: ERROR 1053 .*: vane: /);
    // With TLS wanted, what comes in the clear is told as the reason of another error.
    expect(fromCliWithTls).toMatch(/^exit 1: .*1053/s);
    expect(vip.view().totals.held.late).toBe(4);
  });

  needsPython('pymysql', 'python3-pymysql').test('are refused with 1040 where too many are', async () => {
    await using vip = await startVip(pair, { maxconn: 1 });
    await vip.leadsTo('db1');
    const first = await createConnection(vip.rw);
    await using client = new PymysqlClient(vip.port);
    expect(await client.connected()).toEqual({ error: 1040, text: 'too many connections' });
    expect(await output('mariadb', cli(vip.port, '-e', 'SELECT 1'))).toContain('too many connections');
    await expect(createConnection(vip.rw)).rejects.toMatchObject({ errno: 1040 });
    first.destroy();
  });

  needsPython('pymysql', 'python3-pymysql').test(
    'in a transaction are cut, and idle ones told, when the master dies',
    async () => {
      await using vip = await startVip(pair);
      await vip.leadsTo('db1');
      await using idle = new PymysqlClient(vip.port);
      await using open = new PymysqlClient(vip.port);
      await using busy = new PymysqlClient(vip.port);
      for (const client of [idle, open, busy]) expect(await client.connected()).toBe('connected');
      await idle.query('SELECT 1');
      await open.query('BEGIN');
      await open.query('INSERT INTO t (client, seq, srv) VALUES (1, 1, 1)');
      const waiting = busy.query('SELECT SLEEP(60)');
      const fromCli = output('mariadb', cli(vip.port, '-e', 'BEGIN; SELECT SLEEP(60)'));
      await eventually(async () => {
        const rows = await pair.master.sql(
          "SELECT INFO FROM information_schema.PROCESSLIST WHERE INFO LIKE '%SLEEP(60)'",
        );
        expect(rows).toHaveLength(2);
      });
      await pair.master.end();
      // Nothing that it says from now on is executed, and it knows that.
      expect(await idle.query('SELECT 2')).toMatchObject({
        error: 1053,
        text: expect.stringContaining('vane: db1'),
      });
      expect(await waiting).toMatchObject({ error: 2013 });
      // The command that finds the connection gone is not the one whose outcome is unknown.
      expect(await open.query('COMMIT')).toMatchObject({ error: expect.toBeOneOf([2006, 2013]) });
      expect(await fromCli).toMatch(/ERROR 2013/);
      await vip.leadsTo('db2');
      await using later = new PymysqlClient(vip.port);
      expect(await later.connected()).toBe('connected');
      expect(await later.query('INSERT INTO t (client) VALUES (1)')).toMatchObject({ error: 1290 });
      expect(await later.query('SELECT COUNT(*) FROM t')).toEqual([[0]]);
      await pair.master.start();
    },
  );
});
