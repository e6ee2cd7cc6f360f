import type { Socket } from 'node:net';
import type { Clock } from '../../../core/clock.ts';

/** How much, and for how long, a client may go on sending after its last answer. */
const LINGER_BYTES = 1_048_576;
const LINGER_MS = 2_000;

/**
 * Closes a connection whose client may still be sending. Closing at once would reset it, and the reset could
 * overtake our answer; so our side is ended, and what still comes is read and dropped until the client has ended
 * too, within limits (RFC 9112, section 9.6; nginx: lingering_close).
 */
export function closeGently(socket: Socket, clock: Clock): void {
  let left = LINGER_BYTES;
  const cancelTimer = clock.after(LINGER_MS, () => socket.destroy());
  socket.once('close', cancelTimer);
  // Nothing is parsed any more.
  socket.removeAllListeners('data');
  socket.on('data', (bytes: Buffer) => {
    left -= bytes.length;
    if (left < 0) socket.destroy();
  });
  socket.end();
  socket.resume();
}
