import type { BackendConfig } from '../config/runtime/backends.ts';
import type { ServerTls } from '../config/runtime/servers.ts';
import { exchange } from './http-exchange.ts';
import { capitalWords, hostPort } from './network-errors.ts';
import type { Probe, ProbeResult } from './probe.ts';

/** The reason is the server's to choose; more of it than this helps nobody. */
const LONGEST_INFO = 100;

/** Where a server of the load balancer is checked. */
export interface CheckAddress {
  readonly host: string;
  readonly port: number;
}

/**
 * HAProxy's `option httpchk`: any 2xx or 3xx is good. Only the head of the answer is read. The output is
 * what HAProxy shows as `last_chk`: nothing if it is good, else the reason phrase or what the system said.
 */
export function httpchkProbe(
  at: CheckAddress,
  { method, uri }: NonNullable<BackendConfig['httpchk']>,
  tls?: ServerTls,
): Probe {
  return { run: (signal) => runHttpchk(at, { method, uri, tls }, signal) };
}

async function runHttpchk(
  at: CheckAddress,
  { method, uri, tls }: { method: string; uri: string; tls: ServerTls | undefined },
  signal: AbortSignal,
): Promise<ProbeResult> {
  const answer = await exchange(
    {
      ...at,
      tls,
      method,
      path: uri,
      headers: { host: hostPort(at.host, at.port) },
      body: '',
      keepBytes: 0,
      readBytes: 0,
      refuses: () => false,
    },
    signal,
  );
  if (!answer.ok) {
    const timedOut = answer.code === 'L4TOUT' || answer.code === 'L7TOUT';
    return {
      status: 'critical',
      output: timedOut ? '' : capitalWords(answer.error),
      code: answer.code,
      httpStatus: undefined,
    };
  }
  const good = answer.status >= 200 && answer.status <= 399;
  return {
    status: good ? 'passing' : 'critical',
    output: good ? '' : answer.reason.slice(0, LONGEST_INFO),
    code: good ? 'L7OK' : 'L7STS',
    httpStatus: answer.status,
  };
}
