import {
  type Connection,
  type ConnectionOptions,
  createConnection,
  type ResultSetHeader,
} from 'mysql2/promise';
import { systemClock } from '../../src/core/clock.ts';

/** What one statement of a client came to. */
export interface Attempt {
  readonly client: number;
  readonly seq: number;
  readonly kind: Work;
  /** Clock ms. */
  readonly from: number;
  readonly to: number;
  /** Number or name of the error; undefined: it was done. `unknown`: a commit that nobody answered. */
  readonly error: string | undefined;
  /** The commit was sent, and no answer came. */
  readonly unknown: boolean;
}

/** An insert of its own, a transaction of three, or a look. */
export type Work = 'insert' | 'transaction' | 'read';
const WORKS: readonly Work[] = ['insert', 'transaction', 'read'];

/** Clients that work without a pause, each in a session that it opens again when it is lost. */
export class MysqlLoad {
  readonly attempts: Attempt[] = [];
  readonly #target: ConnectionOptions;
  readonly #clients: Promise<void>[];
  #stopped = false;

  constructor(target: ConnectionOptions, clients: number) {
    this.#target = { ...target, connectTimeout: 15_000 };
    this.#clients = Array.from({ length: clients }, (_, i) =>
      this.#client(i, WORKS[i % WORKS.length] ?? 'read'),
    );
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#clients);
  }

  /** What was done of one kind after a moment (clock ms). */
  done(kind: Work, since = 0): readonly Attempt[] {
    return this.attempts.filter((one) => one.kind === kind && one.error === undefined && one.to >= since);
  }

  /** The longest time from one thing done to the next, of one kind, ms; those begun after `since`. */
  longestGap(kind: Work, since: number): number {
    const ends = this.done(kind, since).map(({ to }) => to);
    let longest = 0;
    for (let i = 1; i < ends.length; i++) longest = Math.max(longest, (ends[i] ?? 0) - (ends[i - 1] ?? 0));
    return longest;
  }

  async #client(client: number, kind: Work): Promise<void> {
    let connection: Connection | undefined;
    for (let seq = 0; !this.#stopped; seq++) {
      const from = systemClock.now();
      const state = { committing: false };
      let error: string | undefined;
      try {
        connection ??= await this.#connect();
        await this.#work(connection, kind, client, seq, state);
      } catch (thrown) {
        error = nameOf(thrown);
        // As pools do: an error that ends the session, or one that says it is the wrong server.
        connection?.destroy();
        connection = undefined;
      }
      const unknown = state.committing && error !== undefined && !/^\d+$/.test(error);
      this.attempts.push({ client, seq, kind, from, to: systemClock.now(), error, unknown });
      await new Promise((resolve) => setTimeout(resolve, error === undefined ? 5 : 20));
    }
    connection?.destroy();
  }

  async #connect(): Promise<Connection> {
    const connection = await createConnection(this.#target);
    // An idle session may be told that it ends.
    connection.on('error', () => {});
    return connection;
  }

  async #work(
    connection: Connection,
    kind: Work,
    client: number,
    seq: number,
    state: { committing: boolean },
  ): Promise<void> {
    if (kind === 'read') {
      await connection.query('SELECT COUNT(*) FROM t WHERE client = ?', [client]);
      return;
    }
    const insert = () =>
      connection.query<ResultSetHeader>('INSERT INTO t (client, seq, srv) VALUES (?, ?, @@server_id)', [
        client,
        seq,
      ]);
    if (kind === 'insert') {
      state.committing = true;
      await insert();
      return;
    }
    await connection.query('BEGIN');
    await insert();
    await insert();
    await insert();
    state.committing = true;
    await connection.query('COMMIT');
  }
}

function nameOf(thrown: unknown): string {
  if (!(thrown instanceof Error)) return String(thrown);
  const { code, errno }: NodeJS.ErrnoException = thrown;
  // Errors of servers have positive numbers, those of the system negative ones.
  return errno !== undefined && errno > 0 ? String(errno) : (code ?? thrown.message);
}
