import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { messageOf, VaneError } from '../core/errors.ts';

const PID = /^[1-9]\d{0,9}$/;

/**
 * Writes the id of this process to a file, whole or not at all, and removes it when the process ends, unless another
 * process has written its own there meanwhile (HAProxy: pidfile). Throws CONFIG_INVALID when it cannot be written.
 */
export function writePidFile(file: string): void {
  const written = `${file}.${process.pid}`;
  try {
    writeFileSync(written, `${process.pid}\n`);
    renameSync(written, file);
  } catch (error) {
    rmSync(written, { force: true });
    throw new VaneError('CONFIG_INVALID', `global.pidfile: ${messageOf(error)}`, { cause: error });
  }
  // However it ends, but for a signal that nobody can catch: then the id is of no process, or of none that is Vane.
  process.once('exit', () => {
    if (holds(file, process.pid)) rmSync(file, { force: true });
  });
}

/** Throws CONFIG_INVALID when there is no process id in it. */
export function readPidFile(file: string): number {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new VaneError('CONFIG_INVALID', messageOf(error), { cause: error });
  }
  const pid = parsePid(text.trim());
  if (pid === undefined) throw new VaneError('CONFIG_INVALID', `${file} does not hold a process id`);
  return pid;
}

/** A number that is of one process only: 0 and negative ones are of many. */
export function parsePid(text: string): number | undefined {
  return PID.test(text) ? Number(text) : undefined;
}

function holds(file: string, pid: number): boolean {
  try {
    return readPidFile(file) === pid;
  } catch {
    // It is gone, or no longer ours.
    return false;
  }
}
