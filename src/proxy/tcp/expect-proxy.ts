import type { Socket } from 'node:net';
import type { ExpectProxy } from '../../config/runtime/binds.ts';
import type { Clock } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import { inNetworks } from '../../core/networks.ts';
import { clientAddress, tellClientAddress } from './client-address.ts';
import { LONGEST_PROXY_HEAD, parseProxyHead } from './proxy-protocol.ts';

/** How long a proxy may take to say whose connection it brings, ms. It comes with the first packet. */
const HEAD_WITHIN_MS = 3_000;

/** Says whether a connection that came from this address has to begin with a head of the PROXY protocol. */
export function proxyExpected(expect: ExpectProxy | undefined): (socket: Socket) => boolean {
  if (!expect) return () => false;
  if (!expect.from) return () => true;
  const isTrusted = inNetworks(expect.from);
  return (socket) => isTrusted(clientAddress(socket).address);
}

/**
 * Reads the head of the PROXY protocol off a connection, and then gives it on, paused, with all that came behind the
 * head: `clientAddress` tells from then on what the head said. A connection that does not begin so is cut: `failed`
 * hears why. So is one that is gone, or late.
 */
export function readProxyHead(
  socket: Socket,
  clock: Clock,
  { taken, failed }: { readonly taken: () => void; readonly failed: (why: VaneError) => void },
): void {
  let bytes: Buffer = Buffer.alloc(0);
  const release = () => {
    cancel();
    socket.pause();
    socket.off('data', onData).off('end', onGone).off('close', onGone).off('error', onGone);
  };
  const fail = (why: VaneError) => {
    release();
    socket.on('error', () => {});
    socket.resetAndDestroy();
    failed(why);
  };
  const onGone = () => fail(new VaneError('CLIENT_ABORTED', 'left before the head of the PROXY protocol'));
  const onData = (more: Buffer) => {
    bytes = bytes.length === 0 ? more : Buffer.concat([bytes, more]);
    const head = parseProxyHead(bytes);
    if (head.kind === 'incomplete' && bytes.length < LONGEST_PROXY_HEAD) return;
    if (head.kind !== 'whole') {
      fail(new VaneError('REQUEST_INVALID', 'does not begin with a head of the PROXY protocol'));
      return;
    }
    release();
    if (head.client) tellClientAddress(socket, head.client);
    const rest = bytes.subarray(head.size);
    if (rest.length > 0) socket.unshift(rest);
    taken();
  };
  const cancel = clock.after(HEAD_WITHIN_MS, () =>
    fail(new VaneError('CLIENT_TIMEOUT', `no head of the PROXY protocol within ${HEAD_WITHIN_MS} ms`)),
  );
  socket.on('data', onData).on('end', onGone).on('close', onGone).on('error', onGone);
  if (socket.destroyed) onGone();
}
