import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { PYTHON } from './needs.ts';
import { ROOT } from './source-tree.ts';

/** PyMySQL in a process of its own, which does one thing after another and tells what came of it. */
export class PymysqlClient {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #lines: AsyncIterator<string>;

  constructor(port: number, { tls = false } = {}) {
    const script = `${ROOT}/test/fixtures/pymysql-client.py`;
    this.#child = spawn(PYTHON, [script, String(port), tls ? 'tls' : 'plain'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdin.on('error', () => {});
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  /** `connected`, or the error that it got instead. */
  connected(): Promise<unknown> {
    return this.#next();
  }

  /** The rows, or the error. */
  query(sql: string): Promise<unknown> {
    this.#child.stdin.write(`query ${sql}\n`);
    return this.#next();
  }

  /** Sends so many bytes and gets as many. */
  large(size: number): Promise<unknown> {
    this.#child.stdin.write(`large ${size}\n`);
    return this.#next();
  }

  async #next(): Promise<unknown> {
    const { value, done } = await this.#lines.next();
    return done ? undefined : JSON.parse(String(value));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const over = new Promise((resolve) => this.#child.once('exit', resolve));
    this.#child.kill('SIGKILL');
    await over;
  }
}
