import type { Socket } from 'node:net';
import { COPIED_BYTES, passOn } from '../../tcp/pass-on.ts';

/**
 * Writes one message after another to a connection: the head together with what there is of the body, and the body
 * as it comes or in chunks (RFC 9112, section 7.1).
 */
export class MessageWriter {
  /** Written, or waiting in the socket, since the last reset by whoever counts. */
  bytes = 0;
  readonly #socket: Socket;
  #head = '';
  #chunked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Everything written has been handed to the system. */
  get flushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** More is waiting than should. The socket will say `drain`. */
  get full(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  /** Calls `fn` once all that was written has been handed to the system; never if the connection breaks first. */
  onFlushed(fn: () => void): void {
    this.#socket.write('', (error) => {
      if (!error) fn();
    });
  }

  /**
   * Begins a message. Its head goes out with the next {@link write}.
   * @param head in Latin-1, up to and with the empty line
   */
  begin(head: string, chunked: boolean): void {
    this.#head = head;
    this.#chunked = chunked;
  }

  /** Writes text outside of any message. */
  writeText(text: string): void {
    this.bytes += text.length;
    this.#socket.write(text, 'latin1');
  }

  /** Writes the head if it waits. */
  writeHead(): void {
    if (this.#head === '') return;
    const head = this.#head;
    this.#head = '';
    this.writeText(head);
  }

  /**
   * Writes the next piece of the body, from `from` up to `to`, which may be empty.
   * @param last the message ends with it
   * @param trailers lines with their ends; go out only in chunks
   */
  write(bytes: Buffer, from: number, to: number, last: boolean, trailers = ''): void {
    const length = to - from;
    let before = this.#head;
    let after = '';
    this.#head = '';
    if (this.#chunked) {
      if (length > 0) {
        before += `${length.toString(16)}\r\n`;
        after = '\r\n';
      }
      if (last) after += `0\r\n${trailers}\r\n`;
    }
    const socket = this.#socket;
    this.bytes += before.length + length + after.length;
    if (length === 0) {
      if (before !== '' || after !== '') socket.write(before + after, 'latin1');
    } else if (length <= COPIED_BYTES) {
      socket.write(before + bytes.toString('latin1', from, to) + after, 'latin1');
    } else passOn(socket, bytes.subarray(from, to), before, after);
  }
}
