/** Finds the ends of answers that come one at a time on a connection and are all of one length. */
export class ResponseReader {
  #expected = 0;
  #received = 0;
  #good = false;

  /** Takes bytes of an answer: true if it is complete and a 2xx, undefined if more is to come. */
  take(chunk: Buffer): boolean | undefined {
    if (this.#received === 0) {
      this.#good = chunk[9] === 0x32;
      // All answers of the origin have the same length, so only the first one is read closely.
      if (this.#expected === 0 || !this.#good) this.#expected = lengthOf(chunk);
    }
    this.#received += chunk.length;
    if (this.#received < this.#expected) return undefined;
    const complete = this.#received === this.#expected;
    this.#received = 0;
    if (complete && this.#good) return true;
    this.#expected = 0;
    return false;
  }
}

/** Length of an answer whose whole head is in `chunk`, by its Content-Length. */
function lengthOf(chunk: Buffer): number {
  const head = chunk.indexOf('\r\n\r\n') + 4;
  const length = /\r\ncontent-length: *(\d+)/i.exec(chunk.toString('latin1', 0, head))?.[1];
  return head + Number(length ?? 0);
}
