import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { eventually } from './eventually.ts';
import { lastingPorts } from './free-port.ts';
import type { NetworkNamespace } from './network-namespace.ts';
import { type Program, startProgram } from './program.ts';

const run = promisify(execFile);

/** Servers live in sbin, which is not on every user's PATH. */
process.env.PATH = [process.env.PATH, '/usr/sbin', '/sbin'].join(delimiter);

const isRoot = process.getuid?.() === 0;
const AS_ROOT = isRoot ? ['--user=root'] : [];

/** Small buffers, nothing shared with the machine's own server, and a binary log that outlives a crash. */
const SETTINGS = [
  '--no-defaults',
  ...AS_ROOT,
  '--skip-networking=0',
  '--skip-name-resolve',
  '--innodb-buffer-pool-size=8M',
  '--innodb-log-file-size=4M',
  '--innodb-flush-log-at-trx-commit=2',
  '--key-buffer-size=1M',
  '--aria-pagecache-buffer-size=1M',
  '--performance-schema=OFF',
  '--log-bin=bin',
  '--log-slave-updates',
  '--gtid-strict-mode=1',
  '--binlog-format=ROW',
  '--slave-net-timeout=2',
  '--max-connections=40',
  '--extra-max-connections=2',
];

/** The accounts of tests, which all servers have. */
export const MONITOR = { user: 'vipmon', password: 'mon' };
export const APP = { user: 'app', password: 'app' };
/** What promotes. */
export const CONTROL = { user: 'vipctl', password: 'ctl' };
export const REPLICATION = { user: 'repl', password: 'repl' };

/** One MariaDB server of a test, which is started and ended as often as the test likes. */
export class MariadbServer {
  readonly id: number;
  readonly port: number;
  readonly host: string;
  readonly #folder: string;
  readonly #more: readonly string[];
  readonly #network: NetworkNamespace | undefined;
  #program: Program | undefined;

  /** @param network that it is in; undefined: this machine's */
  constructor(
    id: number,
    port: number,
    folder: string,
    more: readonly string[],
    network: NetworkNamespace | undefined,
  ) {
    this.id = id;
    this.port = port;
    this.host = network?.inner ?? '127.0.0.1';
    this.#folder = folder;
    this.#more = more;
    this.#network = network;
  }

  get address(): string {
    return `${this.host}:${this.port}`;
  }

  get pid(): number {
    return this.#program?.pid ?? -1;
  }

  /** Resolves when it takes connections. */
  async start(...more: readonly string[]): Promise<void> {
    const [command = '', ...words] = [...(this.#network?.prefix ?? []), 'mariadbd'];
    this.#program = startProgram(command, [
      ...words,
      ...SETTINGS,
      `--bind-address=${this.host}`,
      `--datadir=${this.#folder}`,
      `--tmpdir=${this.#folder}`,
      `--socket=${this.#socket}`,
      `--pid-file=${join(this.#folder, 'pid')}`,
      `--port=${this.port}`,
      `--server-id=${this.id}`,
      ...this.#more,
      ...more,
    ]);
    await this.#program.says(/ready for connections/);
  }

  signal(name: NodeJS.Signals): void {
    this.#program?.signal(name);
  }

  /** Ends it, and waits for that. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    this.#program?.signal('SIGCONT');
    this.#program?.signal(signal);
    await this.#program?.ended;
  }

  /** As root, in a session of its own, whatever has become of the network. */
  async sql(...statements: readonly string[]): Promise<readonly RowDataPacket[]> {
    const connection = await createConnection({ socketPath: this.#socket, user: 'root' });
    try {
      let rows: readonly RowDataPacket[] = [];
      for (const statement of statements) {
        const [result] = await connection.query<RowDataPacket[]>(statement);
        rows = Array.isArray(result) ? result : [];
      }
      return rows;
    } finally {
      connection.destroy();
    }
  }

  login(account: { readonly user: string; readonly password: string }): Promise<Connection> {
    return createConnection({ host: this.host, port: this.port, ...account });
  }

  get #socket(): string {
    return join(this.#folder, 's');
  }
}

/** A master (server id 1) and its slave (server id 2), with the accounts above and a table `test.t`. */
export interface MariadbPair {
  readonly master: MariadbServer;
  readonly slave: MariadbServer;
  /** Both up, the master writable, the slave read-only and replicating, with all that the master has. */
  restore(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export function mariadbPair(...more: readonly string[]): Promise<MariadbPair> {
  return openPair(more, undefined);
}

/** The same, with the master in a network of its own. */
export function mariadbPairWith(network: NetworkNamespace): Promise<MariadbPair> {
  return openPair([], network);
}

async function openPair(
  more: readonly string[],
  network: NetworkNamespace | undefined,
): Promise<MariadbPair> {
  const folder = mkdtempSync(join(tmpdir(), 'vane-db-'));
  const ports = await lastingPorts(2);
  const [master, slave] = [1, 2].map(
    (id) =>
      new MariadbServer(
        id,
        ports[id - 1] ?? 0,
        join(folder, String(id)),
        more,
        id === 1 ? network : undefined,
      ),
  );
  if (!master || !slave) throw new Error('no servers');
  const pair: MariadbPair = {
    master,
    slave,
    restore: async () => {
      await slave.sql('SET GLOBAL read_only=1', 'START SLAVE');
      await master.sql('SET GLOBAL read_only=0', 'SET GLOBAL max_connections=40', 'FLUSH HOSTS');
      await caughtUp(pair);
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([master.end(), slave.end()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
  try {
    await setUp(pair, folder);
  } catch (error) {
    await pair[Symbol.asyncDispose]();
    throw error;
  }
  return pair;
}

async function setUp({ master, slave }: MariadbPair, folder: string): Promise<void> {
  const first = join(folder, '1');
  mkdirSync(first);
  await run('mariadb-install-db', [
    '--no-defaults',
    ...AS_ROOT,
    `--datadir=${first}`,
    // A server that starts removes temporary tables there, whoever's they are.
    `--tmpdir=${folder}`,
    '--auth-root-authentication-method=normal',
    '--skip-test-db',
    '--innodb-log-file-size=4M',
  ]);
  cpSync(first, join(folder, '2'), { recursive: true });
  await Promise.all([master.start(), slave.start('--read-only')]);
  await Promise.all([master, slave].map((server) => server.sql('SET sql_log_bin=0', ...accounts())));
  await slave.sql('RESET MASTER', changeMaster(master), 'START SLAVE');
  await master.sql(
    'CREATE DATABASE test',
    'CREATE TABLE test.t (id BIGINT PRIMARY KEY AUTO_INCREMENT, client INT, seq INT, srv INT)',
  );
  await caughtUp({ master, slave });
}

function accounts(): readonly string[] {
  const account = ({ user, password }: { user: string; password: string }, grants: string) =>
    `GRANT ${grants} ON *.* TO '${user}'@'%' IDENTIFIED BY '${password}'`;
  return [
    account(MONITOR, 'REPLICA MONITOR, BINLOG MONITOR'),
    account(CONTROL, 'READ_ONLY ADMIN, REPLICATION SLAVE ADMIN, BINLOG MONITOR, REPLICA MONITOR, RELOAD'),
    account(APP, 'SELECT, INSERT, UPDATE, DELETE, CREATE, LOCK TABLES'),
    account(REPLICATION, 'REPLICATION SLAVE'),
  ];
}

function changeMaster({ host, port }: MariadbServer): string {
  const { user, password } = REPLICATION;
  return `CHANGE MASTER TO MASTER_HOST='${host}', MASTER_PORT=${port}, MASTER_USER='${user}',
    MASTER_PASSWORD='${password}', MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=0.5`;
}

/** Waits until the slave has all that the master has now. */
export async function caughtUp({ master, slave }: Pick<MariadbPair, 'master' | 'slave'>): Promise<void> {
  const [row] = await master.sql('SELECT @@gtid_binlog_pos AS pos');
  await eventually(async () => {
    const [waited] = await slave.sql(`SELECT MASTER_GTID_WAIT('${row?.pos}', 1) AS waited`);
    if (waited?.waited !== 0) throw new Error('the slave has not caught up');
  }, 15_000);
}
