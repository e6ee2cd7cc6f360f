import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import { judgeLogin, type Login } from '../protocol/login.ts';

/** A client's whole first word. Nobody listens to either socket afterwards, and both are paused. */
export interface LoginWord {
  readonly login: Extract<Login, { kind: 'whole' }>;
  readonly bytes: Buffer;
}

/** Less than the 10 s after which a server would give up, and count that against this host (`connect_timeout`). */
const LOGIN_WITHIN_MS = 8_000;

/**
 * Waits until a client that has been greeted has said all of its login.
 *
 * @throws VaneError CLIENT_ABORTED, CLIENT_TIMEOUT, REQUEST_INVALID (no client of MySQL talks so), UPSTREAM_CLOSED, or
 * the signal's reason
 */
export async function awaitLogin(
  client: Socket,
  server: Socket,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<LoginWord> {
  signal.throwIfAborted();
  const { promise, resolve, reject } = Promise.withResolvers<LoginWord>();
  let bytes = Buffer.alloc(0);
  const onData = (more: Buffer) => {
    bytes = Buffer.concat([bytes, more]);
    const login = judgeLogin(bytes);
    if (login.kind === 'incomplete') return;
    // Whatever comes next is for whoever takes the socket.
    client.pause();
    if (login.kind === 'whole') resolve({ login, bytes });
    else reject(new VaneError('REQUEST_INVALID', 'that is no login'));
  };
  const gone = () => reject(new VaneError('CLIENT_ABORTED', 'client left before it logged in'));
  const serverGone = () => reject(new VaneError('UPSTREAM_CLOSED', 'the server left before the login'));
  const onAbort = () => reject(signal.reason);
  const cancel = clock.after(LOGIN_WITHIN_MS, () =>
    reject(new VaneError('CLIENT_TIMEOUT', `no login within ${LOGIN_WITHIN_MS} ms`)),
  );
  signal.addEventListener('abort', onAbort, { once: true });
  client.on('data', onData).on('end', gone).on('close', gone).on('error', gone);
  server.on('end', serverGone).on('close', serverGone).on('error', serverGone);
  client.resume();
  // Only a socket that is read notices its end; a server says nothing before the login.
  server.resume();
  if (client.destroyed || client.readableEnded) gone();
  try {
    return await promise;
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
    client.pause();
    server.pause();
    client.off('data', onData).off('end', gone).off('close', gone).off('error', gone);
    server.off('end', serverGone).off('close', serverGone).off('error', serverGone);
  }
}
