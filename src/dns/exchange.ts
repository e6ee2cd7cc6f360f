import { createSocket } from 'node:dgram';
import { connect, isIPv6 } from 'node:net';
import type { NameserversConfig } from '../config/runtime/resolvers.ts';
import type { Cancel } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { formatAddress, parseAddress } from './address.ts';
import { frame, MessageReader } from './framing.ts';

export type Nameserver = NameserversConfig['nameservers'][number];

/** Hears what comes back for one query. After `onError` nothing more comes. */
export interface ExchangeListener {
  onMessage(message: Buffer): void;
  /** The nameserver cannot be reached or hung up; `refused`: nobody listens there. */
  onError(why: string, refused: boolean): void;
}

/**
 * Sends a query from a socket of its own, so that every query has a source port of its own for a forger to
 * guess (RFC 5452). The socket stays open for replies until the returned function is called.
 */
export function exchangeUdp(nameserver: Nameserver, query: Buffer, listener: ExchangeListener): Cancel {
  const { host, port } = nameserver;
  const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    socket.close();
  };
  const fail = (error: Error) => {
    if (!open) return;
    close();
    listener.onError(messageOf(error), isRefusal(error));
  };
  socket.on('error', fail);
  socket.on('message', (message, from) => {
    // Connected sockets hear only their peer, but what came before the connect is still in the queue.
    if (open && from.port === port && isSameHost(from.address, host)) listener.onMessage(message);
  });
  // Connected, so that an ICMP "port unreachable" is heard.
  socket.connect(port, host, () => {
    if (!open) return;
    socket.send(query, (error) => {
      if (error) fail(error);
    });
  });
  return close;
}

/** Sends a query on a TCP connection of its own (RFC 7766), open until the returned function is called. */
export function exchangeTcp(nameserver: Nameserver, query: Buffer, listener: ExchangeListener): Cancel {
  const socket = connect({ host: nameserver.host, port: nameserver.port, noDelay: true });
  let open = true;
  const close = () => {
    open = false;
    socket.destroy();
  };
  const fail = (why: string, refused: boolean) => {
    if (!open) return;
    close();
    listener.onError(why, refused);
  };
  const reader = new MessageReader((message) => {
    if (open) listener.onMessage(message);
  });
  socket.on('error', (error) => fail(messageOf(error), isRefusal(error)));
  socket.on('close', () => fail('connection closed without a reply', false));
  socket.on('data', (chunk) => reader.push(chunk));
  socket.on('connect', () => socket.write(frame(query)));
  return close;
}

/** By value, for addresses have several spellings; a host name cannot be told and is left to the connected socket. */
function isSameHost(address: string, host: string): boolean {
  const from = parseAddress(address);
  const expected = parseAddress(host);
  return !from || !expected || formatAddress(from) === formatAddress(expected);
}

/** Nobody listens there. */
export function isRefusal(error: Error): boolean {
  return 'code' in error && error.code === 'ECONNREFUSED';
}
