import { ChunkDecoder } from './chunk-decoder.ts';

/** How long a message's body is: bytes, in chunks, or until the connection ends. */
export type BodyLength = number | 'chunked' | 'close';

/** Takes the body of one message after another off the bytes of a connection (RFC 9112, section 6). */
export class BodyReader {
  /** All of it has been read. */
  complete = true;
  /** Where the data of the last {@link read} lie in its bytes. */
  from = 0;
  to = 0;
  #left = 0;
  #chunks: ChunkDecoder | undefined;

  /** Fields behind the last chunk. Flat: name, then value. */
  get trailers(): readonly string[] {
    return this.#chunks?.trailers ?? NONE;
  }

  begin(length: BodyLength): void {
    this.from = 0;
    this.to = 0;
    this.#chunks = length === 'chunked' ? new ChunkDecoder() : undefined;
    this.#left = typeof length === 'number' ? length : Number.POSITIVE_INFINITY;
    this.complete = length === 0;
  }

  /**
   * Reads on, from `start`; may move data within `bytes`.
   * @returns where the body ends in `bytes`, their length if it goes on; -1: it is malformed
   */
  read(bytes: Buffer, start: number): number {
    const chunks = this.#chunks;
    if (chunks) {
      const end = chunks.read(bytes, start);
      this.from = chunks.from;
      this.to = chunks.to;
      this.complete = chunks.complete;
      return end;
    }
    const end = Math.min(bytes.length, start + this.#left);
    this.from = start;
    this.to = end;
    this.#left -= end - start;
    this.complete = this.#left === 0;
    return end;
  }

  /** The connection has ended, and with it a body that was to last so long. */
  close(): void {
    if (!this.#chunks && this.#left === Number.POSITIVE_INFINITY) this.complete = true;
  }
}

const NONE: readonly string[] = [];
