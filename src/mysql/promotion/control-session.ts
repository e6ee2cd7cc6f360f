import { connect, type Socket } from 'node:net';
import type { Connection, QueryError, RowDataPacket } from 'mysql2';
import { type Clock, sleep } from '../../core/clock.ts';
import { createConnection } from '../driver.ts';
import type { LoginTarget } from '../monitor/login.ts';
import { flavorOf, type Row, VERSION_QUERY } from '../monitor/reading.ts';
import { partWith } from '../parting.ts';

/** For a login, and for each statement beyond what it may take itself, ms. */
const PATIENCE_MS = 3_000;
/** How long a server may wait for its lock before it refuses to become read-only, s. */
const READ_ONLY_WITHIN_S = 1;

/** Where a server that is to be a slave gets its transactions from. */
export interface ReplicationSource {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/**
 * A session with one server that changes what it is: read-only or not, slave or master. Every call rejects with what
 * the driver says, or when there was no answer in time: then nobody knows whether it was done.
 */
export class ControlSession {
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #isMariadb = false;
  #error: QueryError | undefined;

  private constructor({ host, port, user, password }: LoginTarget, clock: Clock) {
    this.#clock = clock;
    this.#socket = connect({ host, port, noDelay: true });
    this.#connection = createConnection({
      ...{ user, password, stream: this.#socket, connectTimeout: 0, disableEval: true },
      connectAttributes: { program_name: 'vane' },
    });
    this.#connection.on('error', (error) => {
      this.#error = error;
    });
  }

  /** Logs in. Whoever has it ends it. */
  static async open(target: LoginTarget, clock: Clock): Promise<ControlSession> {
    const session = new ControlSession(target, clock);
    try {
      session.#isMariadb = flavorOf(await session.#query(VERSION_QUERY)).flavor === 'mariadb';
      return session;
    } catch (error) {
      session.end();
      throw error;
    }
  }

  end(): void {
    if (this.#socket.bytesWritten > 0) {
      this.#socket.destroy();
      return;
    }
    this.#socket.removeAllListeners('data');
    partWith(this.#socket, this.#clock);
  }

  async setReadOnly(): Promise<void> {
    if (this.#isMariadb) {
      // It waits for whoever has locked tables.
      await this.#query(`SET STATEMENT max_statement_time=${READ_ONLY_WITHIN_S} FOR SET GLOBAL read_only=1`);
      return;
    }
    await this.#query(`SET SESSION lock_wait_timeout=${READ_ONLY_WITHIN_S}`);
    await this.#query('SET GLOBAL super_read_only=1');
  }

  async setWritable(): Promise<void> {
    if (!this.#isMariadb) await this.#query('SET GLOBAL super_read_only=0');
    await this.#query('SET GLOBAL read_only=0');
  }

  async isReadOnly(): Promise<boolean> {
    const [row] = await this.#query('SELECT @@global.read_only AS ro');
    return Number(row?.ro) !== 0;
  }

  /** What it has executed, as another can wait for. */
  async position(): Promise<string> {
    const of = this.#isMariadb ? '@@gtid_binlog_pos' : '@@global.gtid_executed';
    const [row] = await this.#query(`SELECT ${of} AS position`);
    return String(row?.position ?? '').replace(/\s+/g, '');
  }

  /** Takes no more from its master, and tells how far it has received. */
  async stopReceiving(): Promise<string> {
    await this.#query(this.#isMariadb ? 'STOP SLAVE IO_THREAD' : 'STOP REPLICA IO_THREAD');
    const [row] = await this.#query(this.#isMariadb ? 'SHOW SLAVE STATUS' : 'SHOW REPLICA STATUS');
    const received = this.#isMariadb ? row?.Gtid_IO_Pos : row?.Retrieved_Gtid_Set;
    return String(received ?? '').replace(/\s+/g, '');
  }

  async receiveAgain(): Promise<void> {
    await this.#query(this.#isMariadb ? 'START SLAVE IO_THREAD' : 'START REPLICA IO_THREAD');
  }

  /** Waits until it has executed all up to a position; false: not within so many ms. */
  async hasExecuted(position: string, within: number): Promise<boolean> {
    if (position === '') return true;
    const wait = this.#isMariadb ? 'MASTER_GTID_WAIT' : 'WAIT_FOR_EXECUTED_GTID_SET';
    const [row] = await this.#query(`SELECT ${wait}(?, ?) AS late`, [position, within / 1000], within);
    return Number(row?.late) === 0;
  }

  /** Ends being a slave, and takes writes. */
  async becomeMaster(): Promise<void> {
    const slave = this.#isMariadb ? 'SLAVE' : 'REPLICA';
    await this.#query(`STOP ${slave}`);
    await this.#query(`RESET ${slave} ALL`);
    await this.setWritable();
  }

  /** Takes no writes, and gets the transactions that it does not have from another. */
  async follow({ host, port, user, password }: ReplicationSource): Promise<void> {
    await this.setReadOnly();
    const values = [host, port, user, password];
    if (!this.#isMariadb) {
      await this.#query('STOP REPLICA');
      await this.#query(
        'CHANGE REPLICATION SOURCE TO SOURCE_HOST=?, SOURCE_PORT=?, SOURCE_USER=?, SOURCE_PASSWORD=?, SOURCE_AUTO_POSITION=1, SOURCE_CONNECT_RETRY=1, SOURCE_HEARTBEAT_PERIOD=1, GET_SOURCE_PUBLIC_KEY=1',
        values,
      );
      await this.#query('START REPLICA');
      return;
    }
    await this.#query('STOP SLAVE');
    // A master has executed what it has written; a slave what it has received. Each knows of its own kind only.
    await this.#query(
      "SET GLOBAL gtid_slave_pos = IF(@@gtid_binlog_pos = '', @@gtid_slave_pos, @@gtid_binlog_pos)",
    );
    await this.#query(
      'CHANGE MASTER TO MASTER_HOST=?, MASTER_PORT=?, MASTER_USER=?, MASTER_PASSWORD=?, MASTER_USE_GTID=slave_pos, MASTER_CONNECT_RETRY=1, MASTER_HEARTBEAT_PERIOD=1',
      values,
    );
    await this.#query('START SLAVE');
  }

  #query(sql: string, values: readonly unknown[] = [], takes = 0): Promise<readonly Row[]> {
    const done = new AbortController();
    const answer = new Promise<readonly Row[]>((resolve, reject) => {
      if (this.#error) return reject(this.#error);
      this.#connection.query<RowDataPacket[]>(sql, [...values], (error, rows) => {
        if (error) reject(error);
        else resolve(Array.isArray(rows) ? rows : []);
      });
    });
    const overdue = sleep(this.#clock, takes + PATIENCE_MS, done.signal).then(() => {
      throw new Error(`no answer to ${sql.split(' ').slice(0, 3).join(' ')} …`);
    });
    return Promise.race([answer, overdue]).finally(() => {
      overdue.catch(() => {});
      answer.catch(() => {});
      done.abort(new Error('done'));
    });
  }
}
