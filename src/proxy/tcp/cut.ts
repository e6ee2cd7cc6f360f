import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Cuts a connection by a reset, so that the other side cannot take what it has for all there was.
 *
 * Two kinds cannot be reset. A socket that is just being shut down with nothing left to send: libuv refuses
 * (uv_tcp_close_reset) and Node would leak it, but all its bytes are out, so that closing it says nothing wrong.
 * And TLS, where an end without close_notify says the same.
 */
export function cut(socket: Socket): void {
  const shuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0;
  if (socket.destroyed || shuttingDown || socket instanceof TLSSocket) socket.destroy();
  else socket.resetAndDestroy();
}
