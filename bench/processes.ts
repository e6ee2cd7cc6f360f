import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { text } from 'node:stream/consumers';
import { descendantsOf } from './proc.ts';

/** Debian keeps servers where the PATH of a user does not look. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin:/sbin`;

/** How long a process may take to end by itself. */
const GRACE_MS = 3_000;

/** How to start a program. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  /** CPU list of taskset(1); undefined: wherever the kernel likes. */
  readonly cores?: string | undefined;
  /** File that gets what the program prints on standard output. Without it that is nobody's. */
  readonly outputFile?: string;
}

/** A server that runs until it is told to end. */
export interface Running {
  readonly pid: number;
  /** What it said on standard error, the end of it. */
  said(): string;
  hasEnded(): boolean;
  end(): Promise<void>;
}

/** Owner of every process that the benchmark starts: none outlives it. */
export class Processes {
  readonly #children = new Set<ChildProcess>();
  #closed = false;

  /** Starts a server. */
  start(command: Command): Running {
    const output = command.outputFile === undefined ? 'ignore' : openSync(command.outputFile, 'w');
    const child = this.#spawn(command, ['ignore', output, 'pipe']);
    if (typeof output === 'number') closeSync(output);
    let said = '';
    child.stderr?.setEncoding('utf8').on('data', (part: string) => {
      said = (said + part).slice(-4_000);
    });
    child.once('error', (error) => {
      said += error.message;
    });
    return {
      pid: child.pid ?? -1,
      said: () => said.trim(),
      hasEnded: () => !this.#children.has(child),
      end: () => this.#end(child),
    };
  }

  /** Runs a program to its end and answers with its standard output. Throws if it fails or takes too long. */
  async run(command: Command, limitMs: number): Promise<string> {
    const child = this.#spawn(command, ['ignore', 'pipe', 'pipe']);
    const { stdout, stderr } = child;
    if (stdout === null || stderr === null) throw new Error(`${command.program} has no output.`);
    const timer = setTimeout(() => child.kill('SIGKILL'), limitMs);
    try {
      const [output, complaint, code] = await Promise.all([text(stdout), text(stderr), exitOf(child)]);
      if (code === 0) return output;
      throw new Error(`${command.program} failed (${code}): ${(complaint || output).trim().slice(-500)}`);
    } finally {
      clearTimeout(timer);
    }
  }

  /** Starts a program that is spoken to through its standard input and output. */
  converse(command: Command): ChildProcess & { end(): Promise<void> } {
    const child = this.#spawn(command, ['pipe', 'pipe', 'inherit']);
    return Object.assign(child, { end: () => this.#end(child) });
  }

  /** True from when everything is being ended: nothing starts any more. */
  get isClosed(): boolean {
    return this.#closed;
  }

  async endAll(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#children].map((child) => this.#end(child)));
  }

  /** For when there is no time left: ends everything, and what that started, without waiting. */
  killAll(): void {
    for (const { pid } of this.#children) {
      if (pid === undefined) continue;
      for (const one of [...descendantsOf(pid), pid]) killQuietly(one);
    }
  }

  #spawn(command: Command, stdio: ('ignore' | 'pipe' | 'inherit' | number)[]): ChildProcess {
    if (this.#closed) throw new Error('The benchmark is ending.');
    const pinned = command.cores !== undefined;
    const child = spawn(
      pinned ? 'taskset' : command.program,
      // taskset becomes the program, so the process id is that of the program.
      [...(pinned ? ['-c', command.cores, command.program] : []), ...command.args],
      { stdio, env: { ...process.env, PATH } },
    );
    this.#children.add(child);
    const forget = () => this.#children.delete(child);
    child.once('exit', forget).once('error', forget);
    return child;
  }

  async #end(child: ChildProcess): Promise<void> {
    if (!this.#children.has(child)) return;
    const exit = exitOf(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), GRACE_MS);
    child.kill('SIGTERM');
    await exit.catch(() => {});
    clearTimeout(timer);
  }
}

function exitOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown'));
    child.once('error', reject);
  });
}

function killQuietly(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch (error) {
    // It has ended by itself.
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
