import { createSocket, type RemoteInfo, type Socket, type SocketOptions } from 'node:dgram';
import { lookup } from 'node:dns';
import { isIP, isIPv6 } from 'node:net';
import { messageOf } from '../core/errors.ts';
import type { ListenerContext } from './listener.ts';

/** Queries that arrive while one is answered wait here; what does not fit is asked again by the asker. */
const RECEIVE_BUFFER_BYTES = 1 << 20;
/** Replies the system has not taken yet. Beyond it queries go unanswered, which UDP askers expect. */
const MAX_UNSENT_REPLIES = 1_024;
/** Replies go where queries came from, and that is an address already: there is nothing to ask the system. */
const lookUp: NonNullable<SocketOptions['lookup']> = (host, options, callback) => {
  const family = isIP(host);
  if (family === 0) lookup(host, options, callback);
  else callback(null, host, family);
};

/** Answers datagrams. */
export class UdpListener {
  readonly #context: ListenerContext;
  /** One for all replies; what went wrong names the asker. */
  readonly #onSent = (error: Error | null) => {
    if (error) this.#context.log.warn({ error: messageOf(error) }, 'dns reply not sent');
  };
  #socket: Socket | undefined;

  constructor(context: ListenerContext) {
    this.#context = context;
  }

  listen(host: string, port: number): Promise<void> {
    const socket = createSocket({
      type: isIPv6(host) ? 'udp6' : 'udp4',
      recvBufferSize: RECEIVE_BUFFER_BYTES,
      lookup: lookUp,
    });
    this.#socket = socket;
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(port, host, () => {
        socket.off('error', reject);
        socket.on('error', (error) => {
          this.#context.log.warn({ error: messageOf(error) }, 'dns udp socket failed');
        });
        socket.on('message', (message, from) => this.#answer(socket, message, from));
        resolve();
      });
    });
  }

  close(): Promise<void> {
    const socket = this.#socket;
    this.#socket = undefined;
    if (!socket) return Promise.resolve();
    return new Promise((resolve) => socket.close(resolve));
  }

  #answer(socket: Socket, message: Buffer, from: RemoteInfo): void {
    // Nobody listens on port 0: such a source is forged.
    if (from.port === 0 || socket.getSendQueueCount() > MAX_UNSENT_REPLIES) return;
    const reply = this.#context.respond(message, 'udp');
    if (reply instanceof Promise) {
      reply.then((later) => {
        if (later && this.#socket === socket) this.#send(socket, later, from);
      });
    } else if (reply) {
      this.#send(socket, reply, from);
    }
  }

  #send(socket: Socket, reply: Buffer, from: RemoteInfo): void {
    socket.send(reply, from.port, from.address, this.#onSent);
  }
}
