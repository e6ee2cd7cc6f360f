import { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { COPIED_BYTES } from './pass-on.ts';
import { type ReadBuffer, takeReadBuffer } from './read-buffers.ts';
import { SocketSlot } from './socket-slot.ts';

/**
 * Takes bytes that were read. They stay what they are only until it returns: whoever passes them on does it by
 * `passOn`, whoever keeps them copies them.
 */
export type ReadSink = (bytes: Buffer) => void;

/** Where all sockets read into that are not in the midst of a large transfer. */
const SHARED = Buffer.allocUnsafeSlow(65_536);

/** Reads of this length or more are copied out of {@link SHARED} once, and the socket gets a buffer of its own. */
const OWN_FROM_BYTES = 32_768;

/**
 * Reads a socket without a stream between, as the option `onread` of `net.connect` does, but also one that was
 * accepted: Node's stream takes 64 KB of new memory for every read, and each 64 MB of it a full collection of garbage
 * (nodejs/node#25436). While nobody takes the bytes, they go to the stream as ever; back-pressure (`pause`, `resume`)
 * and the events `end`, `error` and `close` are the socket's own in both cases.
 *
 * Node offers this for sockets that it opens itself only. The fields behind the option are looked for by name; where
 * they are missing, and with TLS, bytes come by the event `data`.
 */
export class SocketReader {
  /** Undefined: nobody, the bytes go to the socket's stream. */
  sink: ReadSink | undefined;
  readonly #socket: Socket;
  /** Not by the event `data`. */
  readonly #direct: boolean;
  #held = false;
  /** The socket's own buffer, while it is in the midst of a large transfer. */
  #own: ReadBuffer | undefined;
  /** What the next read fills, where that is another than for the last. */
  #next: Buffer | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    const handle: unknown = Reflect.get(socket, '_handle');
    if (FIELDS !== undefined && !(socket instanceof TLSSocket) && hasUserBuffer(handle)) {
      this.#direct = true;
      Reflect.set(socket, FIELDS.buffer, SHARED);
      Reflect.set(socket, FIELDS.callback, (length: number, buffer: Buffer) => this.#read(length, buffer));
      Reflect.set(socket, FIELDS.nextBuffer, () => this.#next);
      handle.useUserBuffer(SHARED);
      socket.once('close', () => this.#readOn(SHARED, undefined));
    } else {
      this.#direct = false;
      socket.on('data', (bytes: Buffer) => this.sink?.(bytes));
    }
  }

  /** The reader of this socket. */
  static of(socket: Socket): SocketReader {
    let reader = READERS.get(socket);
    if (!reader) {
      reader = new SocketReader(socket);
      READERS.set(socket, reader);
    }
    return reader;
  }

  /** Hands over what the socket's stream has read, and then what comes. */
  start(): void {
    this.#held = false;
    // By the event they come by themselves.
    const before: Buffer | null = this.#direct ? this.#socket.read() : null;
    this.#socket.resume();
    if (before !== null) this.sink?.(before);
  }

  /**
   * Hands nothing over until the next {@link start}. What comes waits in the socket's stream until that is full: until
   * then the end of the connection is noticed, and behind `pause()` it is not.
   */
  hold(): void {
    this.#held = true;
    this.#socket.pause();
    this.#socket.read(0);
  }

  /** @returns false: the stream has enough, nothing more is to be read */
  #read(length: number, buffer: Buffer): boolean {
    const { sink } = this;
    if (!sink || this.#held) {
      this.#readOn(buffer, undefined);
      return this.#socket.push(Buffer.from(buffer.subarray(0, length)));
    }
    let bytes = buffer.subarray(0, length);
    // What is longer is not copied as it is passed on, and must not stay where the next socket reads.
    if (!this.#own && length > COPIED_BYTES) {
      this.#own = takeReadBuffer();
      bytes.copy(this.#own.bytes);
      bytes = this.#own.bytes.subarray(0, length);
    }
    sink(bytes);
    if (length < OWN_FROM_BYTES) this.#readOn(buffer, undefined);
    else this.#readOn(buffer, this.#own && !this.#own.lent ? this.#own : takeReadBuffer());
    return true;
  }

  /** Has the next read go to `own`, or to where all others go. */
  #readOn(present: Buffer, own: ReadBuffer | undefined): void {
    const { bytes } = own ?? { bytes: SHARED };
    this.#next = bytes === present ? undefined : bytes;
    if (own === this.#own) return;
    this.#own?.drop();
    this.#own = own;
  }
}

const READERS = new SocketSlot<SocketReader>();

interface UserBufferHandle {
  useUserBuffer(buffer: Uint8Array): void;
}

function hasUserBuffer(handle: unknown): handle is UserBufferHandle {
  return (
    typeof handle === 'object' &&
    handle !== null &&
    'useUserBuffer' in handle &&
    typeof handle.useUserBuffer === 'function'
  );
}

/** Where Node keeps the parts of `onread` on a socket (lib/net.js, lib/internal/stream_base_commons.js). */
const FIELDS = onreadFields();

function onreadFields() {
  const fields = Object.getOwnPropertySymbols(new Socket());
  const named = (name: string) => fields.find(({ description }) => description === name);
  const buffer = named('kBuffer');
  const callback = named('kBufferCb');
  const nextBuffer = named('kBufferGen');
  return buffer && callback && nextBuffer ? { buffer, callback, nextBuffer } : undefined;
}
