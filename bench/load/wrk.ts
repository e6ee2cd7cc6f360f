import { writeFileSync } from 'node:fs';
import type { Command } from '../processes.ts';
import type { LoadResult } from './result.ts';

/** What wrk shall do: a closed loop over `connections`. */
export interface WrkLoad {
  readonly connections: number;
  /** 1 unless it says more. */
  readonly threads?: number;
  readonly path?: string;
  readonly tls?: boolean;
  /** A new connection for each request. */
  readonly close?: boolean;
  /** POST with a body of so many bytes. */
  readonly postBytes?: number;
}

/** Prints what wrk has counted as a LoadResult. */
const REPORT = `
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format('\\nRESULT {"done":%d,"seconds":%f,"p50Ms":%f,"p99Ms":%f,"errors":%d,"bytes":%.0f}\\n',
    summary.requests - e.status, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout, summary.bytes))
end
`;

/** How to start wrk for `load` on `port`; its script goes into `folder`. */
export function wrkCommand(load: WrkLoad, port: number, seconds: number, folder: string): Command {
  const script = `${folder}/wrk-${port}.lua`;
  const post = load.postBytes ? `wrk.method = "POST"\nwrk.body = string.rep("x", ${load.postBytes})\n` : '';
  writeFileSync(script, post + REPORT);
  const close = load.close ? ['-H', 'Connection: close'] : [];
  const amount = [`-t${load.threads ?? 1}`, `-c${load.connections}`, `-d${seconds}s`, '--timeout', '10s'];
  return {
    program: 'wrk',
    args: [
      ...amount,
      ...close,
      '-s',
      script,
      `${load.tls ? 'https' : 'http'}://127.0.0.1:${port}${load.path ?? '/'}`,
    ],
  };
}

export function wrkResult(output: string): LoadResult {
  const line = /^RESULT (.*)$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk said nothing of use: ${output.slice(-300)}`);
  return JSON.parse(line) as LoadResult;
}
