import type { Writable } from 'node:stream';
import { readBufferOf } from './read-buffers.ts';

/** Up to this length bytes are cheaper to copy into a string than to write by themselves. */
export const COPIED_BYTES = 8_192;

/**
 * Writes bytes, as a `SocketReader` hands them over, to another socket or stream, between two pieces of Latin-1 text. What they
 * lie in is not read into before the system has all of them.
 *
 * @returns as `write`: whether more may follow at once
 */
export function passOn(to: Writable, bytes: Buffer, before = '', after = ''): boolean {
  if (bytes.length <= COPIED_BYTES) return to.write(before + bytes.toString('latin1') + after, 'latin1');
  const done = readBufferOf(bytes)?.lend();
  const more =
    before === '' && after === '' ? to.write(bytes, done) : writeAll(to, bytes, before, after, done);
  // Mostly the system takes all at once; the callback, which comes a little later, has nothing left to say then.
  if (to.writableLength === 0) done?.();
  return more;
}

function writeAll(to: Writable, bytes: Buffer, before: string, after: string, done?: () => void): boolean {
  to.cork();
  if (before !== '') to.write(before, 'latin1');
  let more = to.write(bytes, done);
  if (after !== '') more = to.write(after, 'latin1');
  to.uncork();
  return more;
}
