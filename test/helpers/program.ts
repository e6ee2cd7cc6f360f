import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { eventually } from './eventually.ts';
import { ROOT } from './source-tree.ts';

/** A program that a test runs from the root of the checkout. */
export interface Program {
  readonly pid: number;
  /** All it has printed so far, to both streams. */
  output(): string;
  /** Waits for a match in the output; throws with the whole output if it ends or time passes without one. */
  says(pattern: RegExp, withinMs?: number): Promise<RegExpMatchArray>;
  signal(name: NodeJS.Signals): void;
  /** Exit code, or the name of the signal that ended it. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Kills it if it still runs, and waits for the end. */
  [Symbol.asyncDispose](): Promise<void>;
}

export function startProgram(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Program {
  const child: ChildProcess = spawn(command, args, {
    cwd: ROOT,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  let isOver = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve(-1);
    });
    child.once('exit', (code, signal) => resolve(code ?? signal ?? -1));
  }).finally(() => {
    isOver = true;
  });
  return {
    pid: child.pid ?? -1,
    output: () => output,
    says: (pattern, withinMs = 20_000) =>
      eventually(() => {
        const match = output.match(pattern);
        if (match) return match;
        throw new Error(`${command} ${args.join(' ')} has not said ${pattern}, but:\n${output}`);
      }, withinMs),
    signal: (name) => {
      child.kill(name);
    },
    ended,
    async [Symbol.asyncDispose]() {
      if (!isOver) child.kill('SIGKILL');
      await ended;
    },
  };
}

/** Whether a process still runs; one that ended but that nobody has asked for its exit code does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return !/^State:\s+Z/m.test(statusOf(pid));
}

/** As Linux tells it, see proc(5); empty elsewhere. */
function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
