import { connect, type Socket } from 'node:net';
import { connect as encrypt } from 'node:tls';
import type { SendProxy, ServerTls } from '../config/runtime/servers.ts';
import { tlsOptions } from './tls-options.ts';

/** The heads of the PROXY protocol that say: this connection is the proxy's own. */
const OWN_HEADS: Readonly<Record<SendProxy, Buffer>> = {
  v1: Buffer.from('PROXY UNKNOWN\r\n'),
  // The signature, and version 2 with the command LOCAL: nothing follows.
  v2: Buffer.from('0d0a0d0a000d0a515549540a20000000', 'hex'),
};

/** What a server hears first where a connection is made for no client, such as that of a check. */
export function ownProxyHead(version: SendProxy): Buffer {
  return OWN_HEADS[version];
}

/**
 * Begins to open a connection to a server, in the clear or over TLS; `head` goes before anything else, also before TLS.
 * Throws what Node throws for addresses and ports that can be none.
 */
export function openConnection(
  at: { readonly host: string; readonly port: number; readonly allowHalfOpen?: boolean },
  tls: ServerTls | undefined,
  head: Buffer | undefined,
): Socket {
  if (!tls) {
    const socket = connect({ ...at });
    // Kept until there is a connection.
    if (head) socket.write(head);
    return socket;
  }
  if (!head) return encrypt({ ...at, ...tlsOptions(tls) });
  const below = connect({ ...at });
  below.write(head);
  const socket = encrypt({ socket: below, ...tlsOptions(tls) });
  below.on('error', (error) => socket.destroy(error));
  return socket;
}
