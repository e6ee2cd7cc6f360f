import { type BodyLength, BodyReader } from './body-reader.ts';

/** Bytes kept of a body that nobody takes; beyond them the client is not read. */
const HELD_BYTES = 65_536;

/** Takes the bytes of a body, from `from` up to `to`. */
export interface BodySink {
  /** It has more than it can pass on. */
  readonly full: boolean;
  onBody(bytes: Buffer, from: number, to: number, last: boolean): void;
}

const EMPTY = Buffer.alloc(0);

/**
 * The body of one request: read as it comes, kept until a server wants it, then passed on. Bytes that are pushed are
 * only lent; whoever lends them says when he takes them back.
 */
export class RequestBody {
  readonly #reader = new BodyReader();
  #held: Buffer[] = [];
  #heldBytes = 0;
  /** The last piece held is lent. */
  #lent = false;
  #sink: BodySink | undefined;
  /** What was passed on and is kept; undefined: some of it is not, so that all of it is lost. */
  #passed: Buffer[] | undefined = [];
  #passedBytes = 0;
  /** Bytes of it that may be kept. */
  #keep = 0;
  #malformed = false;

  /** @param length not 0 */
  constructor(length: BodyLength) {
    this.#reader.begin(length);
  }

  /** All of it has been read. */
  get complete(): boolean {
    return this.#reader.complete;
  }

  /** Bytes of it were passed on and not kept: it cannot be sent again. */
  get taken(): boolean {
    return this.#passed === undefined;
  }

  /** No more of it is to be read for now. */
  get full(): boolean {
    return this.#sink ? this.#sink.full : this.#heldBytes >= HELD_BYTES;
  }

  /**
   * Reads on, from `start`. Once it has been found malformed, whatever comes is dropped.
   * @returns where the body ends in `bytes`, their length if it goes on; -1: it is malformed
   */
  push(bytes: Buffer, start: number): number {
    if (this.#malformed) return bytes.length;
    const reader = this.#reader;
    const end = reader.read(bytes, start);
    this.#malformed = end < 0;
    if (this.#malformed) return end;
    const { from, to, complete } = reader;
    if (this.#sink) this.#pass(this.#sink, bytes, from, to, complete, true);
    else if (to > from) {
      this.keep();
      this.#held.push(bytes.subarray(from, to));
      this.#heldBytes += to - from;
      this.#lent = true;
    }
    return end;
  }

  /** All has been pushed of a body whose end its bytes do not tell. */
  end(): void {
    this.#reader.close();
    if (this.#sink) this.#pass(this.#sink, EMPTY, 0, 0, true, false);
  }

  /** What was pushed last is going to be overwritten. */
  keep(): void {
    if (!this.#lent) return;
    this.#lent = false;
    const piece = this.#held.pop();
    if (piece) this.#held.push(Buffer.from(piece));
  }

  /**
   * Passes on what there is and what comes; if another has had it before, from its beginning. The sink hears at least
   * once.
   * @param keep how many bytes are kept of what is passed on; of a longer body none are
   */
  sendTo(sink: BodySink, keep = 0): void {
    this.#sink = sink;
    this.#keep = keep;
    const pieces = [...(this.#passed ?? []), ...this.#held];
    this.#passed &&= [];
    this.#passedBytes = 0;
    const { complete } = this;
    this.#held = [];
    this.#heldBytes = 0;
    const lent = this.#lent;
    this.#lent = false;
    const last = pieces.pop() ?? EMPTY;
    for (const piece of pieces) this.#pass(sink, piece, 0, piece.length, false, false);
    this.#pass(sink, last, 0, last.length, complete, lent);
  }

  /** Passes nothing on any more. */
  stop(): void {
    this.#sink = undefined;
  }

  #pass(sink: BodySink, bytes: Buffer, from: number, to: number, last: boolean, lent: boolean): void {
    if (to > from) this.#remember(bytes, from, to, lent);
    sink.onBody(bytes, from, to, last);
  }

  #remember(bytes: Buffer, from: number, to: number, lent: boolean): void {
    this.#passedBytes += to - from;
    if (this.#passedBytes > this.#keep) this.#passed = undefined;
    const piece = this.#passed && bytes.subarray(from, to);
    if (piece) this.#passed?.push(lent ? Buffer.from(piece) : piece);
  }
}
