import type { Socket } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { failingLogin } from './protocol/login.ts';

/** How long a server may take to hear that nobody logs in, ms. */
const PARTING_MS = 10_000;

/**
 * Leaves a server that has had no login: with one that fails. A connection that ends without any counts against this
 * host, which the server shuts out after `max_connect_errors` of them, whoever was to blame. Takes over the socket,
 * from which its former users have taken their hands.
 */
export function partWith(server: Socket, clock: Clock): void {
  if (server.destroyed) return;
  if (server.connecting) {
    server.destroy();
    return;
  }
  const cancel = clock.after(PARTING_MS, () => server.destroy());
  server.on('error', () => {});
  server.once('close', cancel);
  // Its last words are read, or the system would answer them with a reset; at their end the socket closes.
  server.once('end', () => server.destroy());
  server.resume();
  server.end(failingLogin());
}
