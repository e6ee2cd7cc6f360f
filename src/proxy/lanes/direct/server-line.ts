import type { Socket } from 'node:net';
import { SocketReader } from '../../tcp/socket-reader.ts';
import { SocketSlot } from '../../tcp/socket-slot.ts';
import { BodyReader } from './body-reader.ts';
import { HeadParser } from './head-parser.ts';
import { MessageWriter } from './message-writer.ts';

/** Who uses a connection to a server at the moment. */
export interface LineUser {
  /** What it wants to keep it copies, and what it passes on it writes by `passOn`. */
  onData(bytes: Buffer): void;
  /** The server has ended its side. */
  onEnd(): void;
  /** The connection is gone. May be told more than once. */
  onBroken(why: string): void;
  /** The server takes more again. */
  onDrain(): void;
}

/**
 * A connection to a server with what is needed for one request after another over it. Its listeners stay while it
 * lies idle and when other lanes use it; they do nothing unless it has a user.
 */
export class ServerLine {
  readonly socket: Socket;
  readonly out: MessageWriter;
  readonly parser = new HeadParser('response');
  readonly body = new BodyReader();
  readonly #reader: SocketReader;
  #user: LineUser | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    this.out = new MessageWriter(socket);
    this.#reader = SocketReader.of(socket);
    // Always there: an error that nobody waits for must not be uncaught.
    socket.on('error', (error) => this.user?.onBroken(error.message));
    socket.on('end', this.#onEnd);
    socket.on('close', this.#onClose);
    socket.on('drain', this.#onDrain);
  }

  /** The line of this connection. */
  static of(socket: Socket): ServerLine {
    let line = LINES.get(socket);
    if (!line) {
      line = new ServerLine(socket);
      LINES.set(socket, line);
    }
    return line;
  }

  get user(): LineUser | undefined {
    return this.#user;
  }

  /** While there is none, bytes go to the socket's stream, for others to hear of. */
  set user(user: LineUser | undefined) {
    this.#user = user;
    this.#reader.sink = user && this.#onData;
  }

  /** Makes it ready for a request. */
  begin(user: LineUser): void {
    this.user = user;
    this.out.bytes = 0;
    this.parser.reset();
  }

  /** Takes its hands off the socket for good. */
  release(): void {
    this.user = undefined;
    LINES.set(this.socket, undefined);
    this.socket.off('end', this.#onEnd);
    this.socket.off('close', this.#onClose);
    this.socket.off('drain', this.#onDrain);
  }

  readonly #onData = (bytes: Buffer) => {
    const user = this.#user;
    // Whatever this is, it is no answer to a request that has not gone out yet.
    if (this.out.unsent) user?.onBroken('it spoke before it was asked');
    else user?.onData(bytes);
  };
  readonly #onEnd = () => this.user?.onEnd();
  readonly #onClose = () => this.user?.onBroken('closed');
  readonly #onDrain = () => this.user?.onDrain();
}

const LINES = new SocketSlot<ServerLine>();
