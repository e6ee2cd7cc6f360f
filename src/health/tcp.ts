import { connect } from 'node:net';
import { dialogueProbe } from './dialogue.ts';
import { dialWords } from './network-errors.ts';
import type { Probe, ProbeResult } from './probe.ts';

type Connected = 'open' | 'timeout' | Error;

/** Consul's TCP check: passes when a connection to `host:port` opens. */
export class TcpProbe implements Probe {
  readonly #address: string;

  /** @param address `host:port` or `[ipv6]:port` */
  constructor(address: string) {
    this.#address = address;
  }

  async run(signal: AbortSignal): Promise<ProbeResult> {
    const address = this.#address;
    const at = splitHostPort(address);
    if (!at) return result('SOCKERR', `dial tcp: address ${address}: missing port in address`);
    if (at.port > 65535) return result('SOCKERR', `dial tcp: address ${address}: invalid port`);
    const connected = await tryConnect(at.host, at.port, signal);
    if (connected === 'open') return result('L4OK', `TCP connect ${address}: Success`);
    if (connected === 'timeout') return result('L4TOUT', `dial tcp ${address}: i/o timeout`);
    return result('L4CON', dialWords(connected, at.host, at.port));
  }
}

/** HAProxy's plain check of a server: a connection that opens is good. */
export function connectProbe(at: { readonly host: string; readonly port: number }): Probe {
  return dialogueProbe(at, undefined);
}

function tryConnect(host: string, port: number, signal: AbortSignal): Promise<Connected> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve('timeout');
    const socket = connect({ host, port });
    const onAbort = () => finish('timeout');
    const finish = (connected: Connected) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      resolve(connected);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.once('connect', () => finish('open'));
    // Kept to the end: an error after the verdict must not be an uncaught one.
    socket.on('error', finish);
  });
}

function result(code: string, output: string): ProbeResult {
  return { status: code === 'L4OK' ? 'passing' : 'critical', output, code, httpStatus: undefined };
}

/** `host:port` or `[ipv6]:port`. */
export function splitHostPort(address: string): { host: string; port: number } | undefined {
  const parts = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(address);
  if (!parts) return undefined;
  // Like Go, no host means this machine.
  return { host: parts[1] ?? (parts[2] || '127.0.0.1'), port: Number(parts[3]) };
}
