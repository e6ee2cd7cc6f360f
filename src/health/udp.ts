import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns';
import { messageOf } from '../core/errors.ts';
import { hostPort, systemWords } from './network-errors.ts';
import type { Probe, ProbeResult } from './probe.ts';
import { splitHostPort } from './tcp.ts';

interface Target {
  readonly address: string;
  readonly family: number;
  readonly port: number;
}

/**
 * Consul's UDP check (1.13, agent/checks CheckUDP): sends a datagram without content to `host:port`. An answer passes, and
 * so does silence until the timeout, for most services have no answer to nothing; only a refusal that comes back (ICMP:
 * port unreachable) or a failure to send is critical.
 */
export function udpProbe(address: string): Probe {
  return {
    async run(signal) {
      const at = splitHostPort(address);
      if (!at) return failure('SOCKERR', `dial udp: address ${address}: missing port in address`);
      if (at.port === 0 || at.port > 65535) {
        return failure('SOCKERR', `dial udp: address ${address}: invalid port`);
      }
      const target = await resolved(at, signal);
      if (target === 'timeout') return failure('L4TOUT', `dial udp: lookup ${at.host}: i/o timeout`);
      if (target instanceof Error) {
        return failure('L4CON', `dial udp: lookup ${at.host}: ${systemWords(target)}`);
      }
      const refusal = await refusalOf(target, signal);
      if (refusal) {
        return failure('L4CON', `udp ${hostPort(target.address, target.port)}: ${systemWords(refusal)}`);
      }
      const output = `UDP connect ${address}: Success`;
      return { status: 'passing', output, code: 'L4OK', httpStatus: undefined };
    },
  };
}

function failure(code: string, output: string): ProbeResult {
  return { status: 'critical', output, code, httpStatus: undefined };
}

/** A look-up cannot be ended: one that takes too long is left to itself. */
function resolved(
  { host, port }: { readonly host: string; readonly port: number },
  signal: AbortSignal,
): Promise<Target | Error | 'timeout'> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve('timeout');
    const onAbort = () => resolve('timeout');
    signal.addEventListener('abort', onAbort, { once: true });
    lookup(host, (error, address, family) => {
      signal.removeEventListener('abort', onAbort);
      resolve(error ?? { address, family, port });
    });
  });
}

/** What came back instead of an answer or of nothing; undefined: all is well. */
function refusalOf({ address, family, port }: Target, signal: AbortSignal): Promise<Error | undefined> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(undefined);
    const socket = createSocket(family === 6 ? 'udp6' : 'udp4');
    let ended = false;
    const finish = (refusal?: Error) => {
      if (ended) return;
      ended = true;
      signal.removeEventListener('abort', onAbort);
      socket.close();
      resolve(refusal);
    };
    const onAbort = () => finish();
    signal.addEventListener('abort', onAbort, { once: true });
    // Kept to the end: an error after the verdict must not be an uncaught one.
    socket.on('error', finish);
    socket.on('message', () => finish());
    // By this event, not by a callback, which would take the errors. Connected, it hears only from there, and of refusals.
    socket.once('connect', () => {
      if (ended) return;
      socket.send(
        '',
        (error) => error && finish(error instanceof Error ? error : new Error(messageOf(error))),
      );
    });
    socket.connect(port, address);
  });
}
