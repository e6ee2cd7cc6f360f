import { isIPv4, type Socket } from 'node:net';
import type { ClientAddress } from '../lanes/lane.ts';

/** Who is connected to whom. Empty and 0 when the client has already gone. */
export function clientAddress(
  socket: Pick<Socket, 'remoteAddress' | 'remotePort' | 'localAddress' | 'localPort'>,
): ClientAddress {
  return {
    address: plain(socket.remoteAddress),
    port: socket.remotePort ?? 0,
    localAddress: plain(socket.localAddress),
    localPort: socket.localPort ?? 0,
  };
}

/** IPv4 clients of a listener for both families come as `::ffff:10.0.0.1` (RFC 4291, section 2.5.5.2). */
function plain(address = ''): string {
  const mapped = address.startsWith('::ffff:') ? address.slice('::ffff:'.length) : '';
  return isIPv4(mapped) ? mapped : address;
}
