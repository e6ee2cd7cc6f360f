import { readdirSync, readFileSync } from 'node:fs';

/** Ticks a second of the times in /proc: 100 on every Linux that Node runs on (sysconf(_SC_CLK_TCK)). */
const TICKS_PER_SECOND = 100;

/** What a process and its children have used: CPU time since they began, and resident memory now. */
export interface Usage {
  readonly cpuSeconds: number;
  readonly rssBytes: number;
}

/** Usage of `pid` and all that descends from it, as nginx and its worker. Throws if there is no such process. */
export function usageOf(pid: number): Usage {
  let cpuSeconds = 0;
  let rssBytes = 0;
  for (const one of [pid, ...descendantsOf(pid)]) {
    cpuSeconds += cpuSecondsOf(one);
    rssBytes += rssBytesOf(one);
  }
  return { cpuSeconds, rssBytes };
}

/** Processes that `pid` started, and those that they started. */
export function descendantsOf(pid: number): number[] {
  return childrenOf(pid).flatMap((child) => [child, ...descendantsOf(child)]);
}

/** User and system time of all threads, fields 14 and 15 of /proc/PID/stat (proc(5)). */
function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // The second field is a name in parentheses that may hold blanks.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function rssBytesOf(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return Number(kilobytes ?? 0) * 1024;
}

function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').split(' ').filter(Boolean).map(Number),
    );
  } catch (error) {
    // Gone meanwhile, or a kernel without the file: then it has none that we know of.
    if (error instanceof Error && 'code' in error && (error.code === 'ENOENT' || error.code === 'ESRCH'))
      return [];
    throw error;
  }
}
