/** Consul's default for `output_max_size`. */
export const DEFAULT_OUTPUT_MAX_SIZE = 4096;

/** Keeps the last `size` bytes of whatever is written to it, in memory bounded by about twice that. */
export class Tail {
  readonly size: number;
  readonly #chunks: Buffer[] = [];
  #held = 0;
  #written = 0;

  constructor(size: number) {
    this.size = size;
  }

  /** Bytes written in all, kept or not. */
  get written(): number {
    return this.#written;
  }

  write(chunk: Buffer): void {
    this.#written += chunk.length;
    // Copied when cut, so that a few kept bytes do not hold on to a large buffer.
    const kept = chunk.length > this.size ? Buffer.from(chunk.subarray(chunk.length - this.size)) : chunk;
    this.#chunks.push(kept);
    this.#held += kept.length;
    // Merging only now and then keeps many small writes cheap.
    if (this.#held > 2 * this.size || this.#chunks.length > MOST_CHUNKS) this.#merge();
  }

  /** What is kept, as text; a character cut in half at the front is left out. */
  text(): string {
    const bytes = this.#merge();
    return (this.#written > this.size ? bytes.subarray(firstWholeCharacter(bytes)) : bytes).toString('utf8');
  }

  #merge(): Buffer {
    const all = Buffer.concat(this.#chunks);
    const kept = all.length > this.size ? Buffer.from(all.subarray(all.length - this.size)) : all;
    this.#chunks.splice(0, this.#chunks.length, kept);
    this.#held = kept.length;
    return kept;
  }
}

const MOST_CHUNKS = 64;

/** Script output as Consul shows it: the tail, and a line that says so when there was more. */
export function capturedTail(tail: Tail): string {
  if (tail.written <= tail.size) return tail.text();
  return `Captured ${tail.size} of ${tail.written} bytes\n...\n${tail.text()}`;
}

/** TTL output as Consul keeps it: the head, and a note that says so when there was more. */
export function capturedHead(output: string, size: number): string {
  const bytes = Buffer.from(output, 'utf8');
  if (bytes.length <= size) return output;
  return `${bytes.subarray(0, lastWholeCharacter(bytes, size)).toString('utf8')} ... (captured ${size} of ${bytes.length} bytes)`;
}

/** The longest character has four bytes: of a cut one at most three continuation bytes are left. */
function firstWholeCharacter(bytes: Buffer): number {
  let at = 0;
  while (at < 3 && isContinuation(bytes[at])) at += 1;
  return at;
}

/** The largest cut at or before `size` that does not fall inside a character. */
function lastWholeCharacter(bytes: Buffer, size: number): number {
  let at = size;
  while (at > size - 3 && at > 0 && isContinuation(bytes[at])) at -= 1;
  return at;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
