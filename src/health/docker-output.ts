import type { Tail } from './output.ts';

const HEADER_BYTES = 8;

/**
 * Takes apart what a program without a terminal writes, as a Docker Engine sends it: frames of a header (the stream, three
 * zeros, the length in four bytes) and content. https://docs.docker.com/reference/api/engine/, "Attach to a container".
 */
export class MultiplexedOutput {
  readonly #output: Tail;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerBytes = 0;
  /** Of the frame that is being read. */
  #left = 0;

  constructor(output: Tail) {
    this.#output = output;
  }

  write(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; ) {
      if (this.#left > 0) {
        const content = chunk.subarray(at, at + this.#left);
        this.#output.write(content);
        this.#left -= content.length;
        at += content.length;
      } else {
        at += this.#takeHeader(chunk.subarray(at));
      }
    }
  }

  /** How many bytes were taken. */
  #takeHeader(chunk: Buffer): number {
    const taken = chunk.copy(this.#header, this.#headerBytes);
    this.#headerBytes += taken;
    if (this.#headerBytes === HEADER_BYTES) {
      this.#headerBytes = 0;
      this.#left = this.#header.readUInt32BE(4);
    }
    return taken;
  }
}
