import { isIPv4, Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ClientAddress } from '../lanes/lane.ts';
import { SocketSlot } from './socket-slot.ts';

const TOLD = new SocketSlot<ClientAddress>();

/** Notes what a trusted proxy says about whose connection this is. */
export function tellClientAddress(socket: Socket, client: ClientAddress): void {
  TOLD.set(socket, client);
}

/**
 * Who is connected to whom: what the PROXY protocol said, where it did, else what the system says. Empty and 0 when
 * the client has already gone.
 */
export function clientAddress(
  socket: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>,
): ClientAddress {
  const told = socket instanceof Socket ? (TOLD.get(socket) ?? toldBelow(socket)) : undefined;
  if (told) return told;
  return {
    address: plain(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    localAddress: plain(socket.localAddress),
    localPort: socket.localPort ?? 0,
  };
}

/** The head comes before TLS, on the connection that is wrapped in it. */
function toldBelow(socket: Socket): ClientAddress | undefined {
  const below: unknown = socket instanceof TLSSocket ? Reflect.get(socket, '_parent') : undefined;
  return below instanceof Socket ? TOLD.get(below) : undefined;
}

/** IPv4 clients of a listener for both families come as `::ffff:10.0.0.1` (RFC 4291, section 2.5.5.2). */
function plain(address = ''): string {
  const mapped = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : '';
  return isIPv4(mapped) ? mapped : address;
}
