const PREFIX_BYTES = 2;

/** A message with the two-byte length that stands before it in a stream (RFC 1035 section 4.2.2). */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  framed.writeUInt16BE(message.length, 0);
  message.copy(framed, PREFIX_BYTES);
  return framed;
}

/**
 * Cuts a stream into its messages, however it arrives. Holds at most one message (64 KiB), in a buffer
 * allocated once its length is known: a peer that sends byte by byte costs no copies.
 */
export class MessageReader {
  readonly #onMessage: (message: Buffer) => void;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  /** The message being read; undefined while its prefix is. */
  #message: Buffer | undefined;
  /** Bytes already read of the message or of the prefix. */
  #filled = 0;

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#message) {
        const copied = chunk.copy(this.#message, this.#filled, at);
        at += copied;
        this.#filled += copied;
      } else {
        this.#prefix[this.#filled++] = chunk[at++] ?? 0;
        if (this.#filled < PREFIX_BYTES) continue;
        this.#message = Buffer.allocUnsafe(this.#prefix.readUInt16BE(0));
        this.#filled = 0;
      }
      if (this.#filled < this.#message.length) continue;
      const message = this.#message;
      this.#message = undefined;
      this.#filled = 0;
      this.#onMessage(message);
    }
  }
}
