import type { Socket } from 'node:net';
import { cut } from '../../tcp/cut.ts';
import { COPIED_BYTES, passOn } from '../../tcp/pass-on.ts';
import type { AnswerWriter } from './forwarded-request.ts';
import { type Gathered, gather } from './gathered-writes.ts';
import { renderFields } from './render.ts';

const NONE: readonly string[] = [];

/**
 * Writes one message after another to a connection: the head together with what there is of the body, and the body
 * as it comes or in chunks (RFC 9112, section 7.1). What is short goes out together with what is written to other
 * connections: whoever ends or gives away the socket calls {@link flush} before.
 */
export class MessageWriter implements AnswerWriter, Gathered {
  /** Written, or waiting, since the last reset by whoever counts. */
  bytes = 0;
  readonly #socket: Socket;
  #head = '';
  #chunked = false;
  /** Goes out with {@link flush}, in Latin-1. */
  #waiting = '';

  constructor(socket: Socket) {
    this.#socket = socket;
  }

  /** Something was written since the last reset, and nothing of it has gone out yet. */
  get unsent(): boolean {
    return this.#waiting !== '' && this.#waiting.length === this.bytes;
  }

  /** Everything written has been handed to the system, or will be by the end of this turn of the event loop. */
  get flushed(): boolean {
    return this.#socket.writableLength === 0;
  }

  /** More is waiting than should. The socket will say `drain`. */
  get full(): boolean {
    return this.#socket.writableNeedDrain && this.#socket.writableLength > 0;
  }

  /** Calls `fn` once all that was written has been handed to the system; never if the connection breaks first. */
  onFlushed(fn: () => void): void {
    this.flush();
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

  /** Writes text outside of any message, at once. */
  writeText(text: string): void {
    this.bytes += text.length;
    this.flush();
    this.#socket.write(text, 'latin1');
  }

  /** Writes the head if it waits for a body. */
  writeHead(): void {
    if (this.#head === '') return;
    const head = this.#head;
    this.#head = '';
    this.bytes += head.length;
    this.#write(head);
  }

  /**
   * Writes the next piece of the body, from `from` up to `to`, which may be empty.
   * @param last the message ends with it
   * @param trailers go out only in chunks. Flat: name, then value
   */
  write(bytes: Buffer, from: number, to: number, last: boolean, trailers: readonly string[] = NONE): void {
    const length = to - from;
    let before = this.#head;
    let after = '';
    this.#head = '';
    if (this.#chunked) {
      if (length > 0) {
        before += `${length.toString(16)}\r\n`;
        after = '\r\n';
      }
      if (last) after += `0\r\n${renderFields(trailers)}\r\n`;
    }
    this.bytes += before.length + length + after.length;
    if (length === 0) {
      if (before !== '' || after !== '') this.#write(before + after);
    } else if (length <= COPIED_BYTES) this.#write(before + bytes.toString('latin1', from, to) + after);
    else {
      this.flush();
      passOn(this.#socket, bytes.subarray(from, to), before, after);
    }
  }

  flush(): void {
    if (this.#waiting === '') return;
    const text = this.#waiting;
    this.#waiting = '';
    if (!this.#socket.destroyed) this.#socket.write(text, 'latin1');
  }

  /** Cuts the connection, see {@link cut}. What was said before is not held back. */
  cut(): void {
    this.flush();
    cut(this.#socket);
  }

  /** Writes something short. */
  #write(text: string): void {
    this.flush();
    // Behind something that the system does not take yet, nothing is gained: it has to be seen that it is full.
    if (this.#socket.writableLength > 0) this.#socket.write(text, 'latin1');
    else {
      this.#waiting = text;
      gather(this);
    }
  }
}
