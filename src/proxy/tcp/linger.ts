import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';

/** How long a client may go on sending after its last answer, and how long it may be silent meanwhile, ms. */
const LINGER_MS = 30_000;
const SILENCE_MS = 2_000;

/**
 * Closes a connection whose client may still be sending. Closing at once would reset it, and the reset could
 * overtake our answer; so our side is ended, and what still comes is read and dropped until the client has ended
 * too, or has been silent with all of the answer on its way, or takes too long (RFC 9112, section 9.6; nginx:
 * lingering_time, lingering_timeout).
 */
export function closeGently(socket: Socket, clock: Clock): void {
  const until = clock.now() + LINGER_MS;
  let heardAt = clock.now();
  let unsent = socket.writableLength;
  const look = () => {
    const now = clock.now();
    // As long as the client takes something, it is there.
    if (socket.writableLength < unsent) heardAt = now;
    unsent = socket.writableLength;
    const left = Math.min(until, heardAt + SILENCE_MS) - now;
    if (left <= 0) socket.destroy();
    // Timers may fire a fraction early; a whole millisecond avoids spinning on it.
    else cancelTimer = clock.after(Math.max(1, left), look);
  };
  let cancelTimer = clock.after(SILENCE_MS, look);
  socket.once('close', () => cancelTimer());
  // Nothing is parsed any more.
  socket.removeAllListeners('data');
  socket.on('data', () => {
    heardAt = clock.now();
  });
  socket.end();
  socket.resume();
}
