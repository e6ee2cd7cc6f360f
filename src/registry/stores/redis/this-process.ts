import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

/** What tells this process from others that may have had its node's name before. */
export interface ProcessIdentity {
  readonly pid: number;
  readonly host: string;
  /** Processes of one machine and namespace have the same, so that their ids mean the same; '' where nothing tells. */
  readonly machine: string;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, host: hostname(), machine: machineOf() };
}

/** Whether a process has ended for sure. One that has this one's own id is an earlier one in the same place. */
export function hasEnded({ pid, machine }: ProcessIdentity): boolean {
  if (machine === '' || machine !== machineOf()) return false;
  if (pid === process.pid) return true;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ESRCH';
  }
}

/** Linux tells which boot this is, and which namespace process ids are of. */
function machineOf(): string {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    // Another system: whoever has the name is waited for.
    return '';
  }
}
