/** Twice what Node's stream reads at once: for large transfers, where each read costs a write. */
const BUFFER_BYTES = 131_072;
/** Buffers kept that nobody uses: 8 MB. */
const MAX_SPARE = 64;

/** What one socket reads into during a large transfer. Parts of it may still be on their way out to another. */
export class ReadBuffer {
  readonly bytes = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #writes = 0;
  /** A socket reads into it. */
  #used = true;
  /** Given up: two sockets must never come to read into one, whatever is called twice. */
  #spared = false;

  /** Parts of it have not been handed to the system yet: nothing may be read into it. */
  get lent(): boolean {
    return this.#writes > 0;
  }

  /** Keeps it as it is until the returned function is called, however often. */
  lend(): () => void {
    let out = true;
    this.#writes++;
    return () => {
      if (!out) return;
      out = false;
      this.#writes--;
      this.#spare();
    };
  }

  use(): void {
    this.#used = true;
    this.#spared = false;
  }

  /** Its socket reads into another from now on. */
  drop(): void {
    this.#used = false;
    this.#spare();
  }

  #spare(): void {
    if (this.#used || this.#writes > 0 || this.#spared) return;
    this.#spared = true;
    if (SPARE.length < MAX_SPARE) SPARE.push(this);
  }
}

const SPARE: ReadBuffer[] = [];
const ALL = new WeakMap<ArrayBufferLike, ReadBuffer>();

/** One that nobody uses. */
export function takeReadBuffer(): ReadBuffer {
  const spare = SPARE.pop();
  if (spare) {
    spare.use();
    return spare;
  }
  const made = new ReadBuffer();
  ALL.set(made.bytes.buffer, made);
  return made;
}

/** The one that these bytes lie in, if they do. */
export function readBufferOf(bytes: Buffer): ReadBuffer | undefined {
  return ALL.get(bytes.buffer);
}
