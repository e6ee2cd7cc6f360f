import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { ConfigError } from '../config/problem.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import { loadPresent } from './configuration/configuration.ts';
import { readPidFile } from './pid-file.ts';

/** How the running Vane is found: one of them is given. */
export interface ReloadOptions {
  readonly pid?: number;
  readonly pidfile?: string;
  /** A configuration, which is checked and says where the process id is. */
  readonly file?: string;
  /** Replace the worker processes instead of reading the configuration again. */
  readonly workers?: true;
}

const FAILED = 1;

/** What `vane` is started by: the command, links to it, and the program itself. */
const COMMANDS: ReadonlySet<string> = new Set(['vane', 'vane.mjs', 'main.ts', 'main.js']);

const HEARD = {
  SIGHUP: 'Its log says "configuration taken", or "configuration not taken" and why.',
  SIGUSR2: 'Its log says "workers have been replaced", or "workers not replaced" and why.',
} as const;

/** Sends a running Vane the signal to reload. Resolves to the exit code. */
export async function reload({ workers, ...target }: ReloadOptions): Promise<number> {
  const signal = workers ? 'SIGUSR2' : 'SIGHUP';
  try {
    const pid = await find(target);
    assertVane(pid, signal);
    process.kill(pid, signal);
    console.log(`${signal} sent to process ${pid}. ${HEARD[signal]}`);
    return 0;
  } catch (error) {
    // The problems of a configuration stand for themselves, as `vane check` tells them.
    console.error(error instanceof ConfigError ? error.message : `Not reloaded: ${messageOf(error)}`);
    return FAILED;
  }
}

async function find({ pid, pidfile, file = '' }: Omit<ReloadOptions, 'workers'>): Promise<number> {
  if (pid !== undefined) return pid;
  if (pidfile !== undefined) return readPidFile(pidfile);
  const { global } = await loadPresent(file);
  if (global.pidfile !== undefined) return readPidFile(global.pidfile);
  throw new VaneError('CONFIG_INVALID', `${file} has no global.pidfile: say --pid or --pidfile`);
}

/**
 * Throws INTERNAL unless the process is a running Vane, for the signal would end most others. Ids are given anew, so
 * a file may hold one of a process that has nothing to do with Vane.
 */
function assertVane(pid: number, signal: NodeJS.Signals): void {
  if (!existsSync('/proc/self/cmdline')) {
    const advice = `if it is, kill -s ${signal.slice(3)} ${pid} does the same`;
    throw new VaneError('INTERNAL', `this system does not tell whether process ${pid} is Vane; ${advice}`);
  }
  let command: string;
  try {
    command = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    throw new VaneError('INTERNAL', `there is no process ${pid}, or none that can be seen from here`);
  }
  const args = command.split('\0');
  const runs = args.some((arg, i) => COMMANDS.has(basename(arg)) && args[i + 1] === 'run');
  if (!runs) throw new VaneError('INTERNAL', `process ${pid} is not a running Vane`);
}
