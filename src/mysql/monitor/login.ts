import { connect, type Socket } from 'node:net';
import type { Connection, RowDataPacket } from 'mysql2';
import type { Clock } from '../../core/clock.ts';
import { createConnection } from '../driver.ts';
import type { KilledCounts, Orphan } from '../endpoint/orphans.ts';
import type { Reading } from '../failover/server-facts.ts';
import { partWith } from '../parting.ts';
import { killOrphans } from './kill-orphans.ts';
import { type Flavor, flavorOf, type Row, readingOf, VERSION_QUERY } from './reading.ts';

export interface LoginTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
}

/** A session of the monitor with one server. Whoever has it ends it. */
export class MonitorSession {
  readonly #connection: Connection;
  readonly #socket: Socket;
  readonly #clock: Clock;
  #flavor: Flavor | undefined;
  #isOver = false;

  /** @param onLost the session has ended by itself; never called after {@link end} */
  constructor({ host, port, user, password }: LoginTarget, clock: Clock, onLost: () => void) {
    this.#clock = clock;
    this.#socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#connection = createConnection({
      user,
      password,
      stream: this.#socket,
      // Deadlines are the caller's: this one ends with the first byte of the server.
      connectTimeout: 0,
      // No code is made up from what a server answers.
      disableEval: true,
      connectAttributes: { program_name: 'vane' },
    });
    const lost = () => {
      if (this.#isOver) return;
      this.#isOver = true;
      onLost();
    };
    this.#connection.on('error', lost);
    this.#connection.on('end', lost);
  }

  /** Logs in where that has not been done, and asks. Rejects with what the driver says. */
  async read(): Promise<Reading> {
    this.#flavor ??= flavorOf(await this.#query(VERSION_QUERY));
    const variables = await this.#query(this.#flavor.variables);
    return readingOf(this.#flavor, variables, await this.#query(this.#flavor.replicas));
  }

  /** Has the server let this host in again. Rejects with what the driver says. */
  async unblock(): Promise<void> {
    if (this.#flavor) await this.#query(this.#flavor.unblock);
  }

  /** See {@link killOrphans}. */
  kill(orphans: readonly Orphan[]): Promise<KilledCounts> {
    return killOrphans((sql) => this.#query(sql), orphans);
  }

  /** Ends it at once. */
  end(): void {
    this.#isOver = true;
    if (this.#socket.bytesWritten > 0) {
      this.#socket.destroy();
      return;
    }
    // The driver would answer a greeting that comes late.
    this.#socket.removeAllListeners('data');
    partWith(this.#socket, this.#clock);
  }

  /** Says goodbye; only where nothing is under way. */
  quit(): void {
    this.#isOver = true;
    this.#connection.end(() => this.#socket.destroySoon());
  }

  #query(sql: string): Promise<readonly Row[]> {
    return new Promise((resolve, reject) => {
      this.#connection.query<RowDataPacket[]>(sql, (error, rows) => {
        if (error) reject(error);
        else resolve(Array.isArray(rows) ? rows : []);
      });
    });
  }
}
