import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import type { ClientAddress } from '../../proxy/lanes/lane.ts';
import { connect } from '../../proxy/tcp/connect.ts';
import { writeProxyHead } from '../../proxy/tcp/proxy-protocol.ts';
import { partWith } from '../parting.ts';
import { ER_SERVER_SHUTDOWN, parseError, type ServerError } from '../protocol/error-packet.ts';
import { type Greeting, parseGreeting } from '../protocol/greeting.ts';
import { firstPacket } from '../protocol/packets.ts';
import type { Server } from './site.ts';

/** A server that has said its first word. Nobody listens to its socket, which is paused. */
export interface OpenServer {
  readonly socket: Socket;
  /** All that it has said, to be passed on. */
  readonly said: Buffer;
  /** What that was: a greeting, or that it takes nobody. */
  readonly word: Greeting | ServerError;
}

/** A greeting is some hundred bytes long. */
const LONGEST_GREETING = 16 * 1024;

/**
 * Connects to a server and waits for its first word: a server that hangs takes connections, and says nothing.
 *
 * @throws VaneError of {@link connect}, UPSTREAM_TIMEOUT, UPSTREAM_CLOSED or UPSTREAM_PROTOCOL, or the signal's
 * reason; the server is parted with then
 */
export async function openServer(
  { id, host, port, sendProxy }: Server,
  options: {
    readonly timeout: number;
    readonly clock: Clock;
    readonly signal: AbortSignal;
    /** For whom, where the server is to be told that. */
    readonly client: ClientAddress;
  },
): Promise<OpenServer> {
  const { timeout, clock, signal, client } = options;
  const deadline = clock.now() + timeout;
  const head = sendProxy && writeProxyHead(sendProxy, client);
  const socket = await connect({ address: host, port, head, timeout, clock, signal });
  // No promise is waited for between that and the listeners.
  const { promise, resolve, reject } = Promise.withResolvers<OpenServer>();
  let said = Buffer.alloc(0);
  const closed = () => reject(new VaneError('UPSTREAM_CLOSED', `${id} closed the connection without a word`));
  const onError = (error: Error) =>
    reject(new VaneError('UPSTREAM_CLOSED', `connection to ${id} broke: ${error.message}`));
  const onAbort = () => reject(signal.reason);
  const onData = (bytes: Buffer) => {
    said = Buffer.concat([said, bytes]);
    const first = firstPacket(said);
    if (!first && said.length < LONGEST_GREETING) return;
    // Whatever comes next is for whoever takes the socket.
    socket.pause();
    const word = first && (parseGreeting(first.payload) ?? parseError(first.payload));
    if (!word) reject(new VaneError('UPSTREAM_PROTOCOL', `${id} does not speak MySQL's protocol`));
    else if ('code' in word && word.code === ER_SERVER_SHUTDOWN) closed();
    else resolve({ socket, said, word });
  };
  const late = () => reject(new VaneError('UPSTREAM_TIMEOUT', `${id} said nothing within ${timeout} ms`));
  const cancel = clock.after(deadline - clock.now(), late);
  signal.addEventListener('abort', onAbort, { once: true });
  socket.on('data', onData).on('end', closed).on('close', closed).on('error', onError);
  const release = () => {
    socket.pause();
    socket.off('data', onData).off('end', closed).off('close', closed).off('error', onError);
  };
  try {
    const open = await promise;
    release();
    return open;
  } catch (error) {
    release();
    partWith(socket, clock);
    throw error;
  } finally {
    cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
