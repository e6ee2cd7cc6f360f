import type { Socket } from 'node:net';
import { serverId } from '../../balance/server.ts';
import type { ServerTls } from '../../config/runtime/servers.ts';
import type { Clock } from '../../core/clock.ts';
import { type ErrorCode, messageOf, VaneError } from '../../core/errors.ts';
import { systemWords } from '../../health/network-errors.ts';
import { openConnection } from '../../health/open-connection.ts';

export interface ConnectOptions {
  /** Usually an IP address; a host name is looked up by the system. */
  readonly address: string;
  readonly port: number;
  /** Undefined: in the clear. */
  readonly tls?: ServerTls | undefined;
  /** What goes before all else, also before TLS. */
  readonly head?: Buffer | undefined;
  /** Milliseconds, TLS handshake included; 0: as long as the system allows. */
  readonly timeout: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** Silence after which the system asks whether the other side is still there: it may have gone without a word. */
const KEEP_ALIVE_MS = 60_000;

/**
 * Opens a connection to a server: without Nagle's delay, kept alive, and half-closable. The socket carries no
 * listener of ours; the caller attaches his own in the same turn as his `await` returns.
 *
 * No error can slip in between: sockets emit errors from callbacks of the event loop or of `process.nextTick`.
 * Node runs the ticks that the `connect` event left behind before any promise job, so our guard is still there
 * to meet them; after it is gone, nothing but promise jobs runs until the caller goes on.
 *
 * @throws VaneError CONNECT_REFUSED, CONNECT_TIMEOUT or CONNECT_FAILED, or the signal's reason; nothing is left open
 */
export async function connect(options: ConnectOptions): Promise<Socket> {
  const { address, port, tls, timeout, clock, signal } = options;
  signal.throwIfAborted();
  const where = serverId(address, port);
  const { promise: connected, resolve, reject } = Promise.withResolvers<void>();
  const socket = openSocket(options, where);
  const onError = (error: Error) => reject(connectError(error, where));
  const onAbort = () => reject(signal.reason);
  const late = () => reject(new VaneError('CONNECT_TIMEOUT', `no connection to ${where} in ${timeout} ms`));
  const cancelTimer = timeout > 0 ? clock.after(timeout, late) : undefined;
  signal.addEventListener('abort', onAbort, { once: true });
  socket.on('error', onError);
  socket.once(tls ? 'secureConnect' : 'connect', resolve);
  try {
    await connected;
    if (socket.errored) throw connectError(socket.errored, where);
    signal.throwIfAborted();
  } catch (error) {
    // The guard stays on: it is the socket's only listener, and dies with it.
    socket.destroy();
    throw error;
  } finally {
    cancelTimer?.();
    signal.removeEventListener('abort', onAbort);
  }
  socket.off('error', onError);
  return socket;
}

function openSocket({ address: host, port, tls, head }: ConnectOptions, where: string): Socket {
  try {
    const socket = openConnection({ host, port, allowHalfOpen: true }, tls, head);
    return socket.setNoDelay(true).setKeepAlive(true, KEEP_ALIVE_MS);
  } catch (error) {
    // Node refuses what can be no address or port before it asks the system.
    throw new VaneError('CONNECT_FAILED', `cannot connect to ${where}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function connectError(error: Error, where: string): VaneError {
  const { code }: NodeJS.ErrnoException = error;
  return new VaneError(errorCode(code), `cannot connect to ${where}: ${systemWords(error)}`, {
    cause: error,
  });
}

function errorCode(systemCode: string | undefined): ErrorCode {
  if (systemCode === 'ECONNREFUSED') return 'CONNECT_REFUSED';
  return systemCode === 'ETIMEDOUT' ? 'CONNECT_TIMEOUT' : 'CONNECT_FAILED';
}
