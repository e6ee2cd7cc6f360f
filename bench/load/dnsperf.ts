import { writeFileSync } from 'node:fs';
import { DNS_NAME } from '../peers/peer.ts';
import type { Command } from '../processes.ts';
import type { LoadResult } from './result.ts';

/** What is asked, over and over, with up to 100 questions under way. */
export interface DnsLoad {
  readonly type: 'A' | 'SRV';
}

/** How to start dnsperf for `load` on `port`; the file with its questions goes into `folder`. */
export function dnsperfCommand(load: DnsLoad, port: number, seconds: number, folder: string): Command {
  const questions = `${folder}/questions-${load.type}`;
  writeFileSync(questions, `${DNS_NAME} ${load.type}\n`);
  const amount = ['-l', String(seconds), '-c', '20', '-q', '100', '-t', '2'];
  return { program: 'dnsperf', args: ['-s', '127.0.0.1', '-p', String(port), '-d', questions, ...amount] };
}

/** Questions that were lost or answered with anything but NOERROR are errors. */
export function dnsperfResult(output: string): Pick<LoadResult, 'done' | 'seconds' | 'errors'> {
  const sent = number(output, /Queries sent: +(\d+)/);
  const good = number(output, /NOERROR (\d+)/);
  return { done: good, seconds: number(output, /Run time \(s\): +([\d.]+)/), errors: sent - good };
}

function number(output: string, pattern: RegExp): number {
  const found = pattern.exec(output)?.[1];
  if (found === undefined) throw new Error(`dnsperf said nothing of use: ${output.slice(-300)}`);
  return Number(found);
}
