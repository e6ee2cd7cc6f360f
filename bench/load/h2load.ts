import { readFileSync, rmSync } from 'node:fs';
import type { Command } from '../processes.ts';
import type { LoadResult } from './result.ts';

/** What h2load shall do: a closed loop over `streams` on each of `connections`. */
export interface H2Load {
  readonly connections: number;
  readonly streams: number;
}

/** How to start h2load for `load` on `port`; it writes a line for each request into `log`. */
export function h2loadCommand(load: H2Load, port: number, seconds: number, log: string): Command {
  const amount = ['-t1', `-c${load.connections}`, `-m${load.streams}`, `-D${seconds}`];
  return { program: 'h2load', args: [...amount, `--log-file=${log}`, `https://127.0.0.1:${port}/`] };
}

/** Takes the log away once it has been read. */
export function h2loadResult(output: string, log: string): LoadResult {
  const spoken = /^Application protocol: h2$/m.test(output);
  const seconds = Number(/^finished in ([\d.]+)s/m.exec(output)?.[1]);
  const counts =
    /^requests: .* (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout$/m.exec(output);
  if (!spoken || !counts || Number.isNaN(seconds)) {
    throw new Error(`h2load said nothing of use: ${output.slice(-300)}`);
  }
  const [, , succeeded, failed, , timeouts] = counts.map(Number);
  // Start, status, microseconds.
  const times = Float64Array.from(
    readFileSync(log, 'utf8').trimEnd().split('\n'),
    (line) => Number(line.split('\t')[2]) / 1000,
  ).sort();
  rmSync(log);
  const at = (share: number) => times[Math.floor(share * (times.length - 1))] ?? 0;
  return {
    done: succeeded ?? 0,
    seconds,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    errors: (failed ?? 0) + (timeouts ?? 0),
  };
}
