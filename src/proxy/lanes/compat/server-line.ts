import type { Socket } from 'node:net';
import type { ServerConnections } from '../lane.ts';

/**
 * The connection to a server while one attempt has it. Once it is given away, whatever the attempt still does
 * concerns it no longer: it may be serving somebody else by then.
 */
export class ServerLine {
  readonly socket: Socket;
  readonly #readBefore: number;
  readonly #writtenBefore: number;
  readonly #isAnswered: () => boolean;
  #answered = false;
  #surplus = false;
  /** Set when it is given away. */
  #counted: { readonly read: number; readonly written: number } | undefined;

  /** @param isAnswered whether the answer has come whole, as far as it has been parsed */
  constructor(socket: Socket, isAnswered: () => boolean) {
    this.socket = socket;
    this.#readBefore = socket.bytesRead;
    this.#writtenBefore = socket.bytesWritten;
    this.#isAnswered = isAnswered;
  }

  get bytesRead(): number {
    return this.#counted?.read ?? this.socket.bytesRead - this.#readBefore;
  }

  get bytesWritten(): number {
    return this.#counted?.written ?? this.socket.bytesWritten - this.#writtenBefore;
  }

  /**
   * Notes what comes behind a whole answer. Node stops listening there while the client may still be taking it.
   * Called when Node has its own listener.
   */
  watch(): void {
    this.socket.on('data', this.#onData);
  }

  unwatch(): void {
    this.socket.off('data', this.#onData);
  }

  /** Keeps it for another request, if nothing was said on it that nobody asked for. */
  giveBack(connections: ServerConnections): void {
    if (this.#counted) return;
    if (this.#surplus) {
      this.destroy();
    } else {
      this.#count();
      connections.giveBack(this.socket);
    }
  }

  destroy(): void {
    if (this.#counted) return;
    this.#count();
    this.socket.destroy();
  }

  #count(): void {
    this.unwatch();
    this.#counted = { read: this.bytesRead, written: this.bytesWritten };
  }

  readonly #onData = () => {
    this.#surplus ||= this.#answered;
    this.#answered = this.#isAnswered();
  };
}
