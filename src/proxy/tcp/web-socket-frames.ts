import { randomBytes } from 'node:crypto';

/** The server that the tunnel leads to goes away (RFC 6455, section 7.4.1). */
const GOING_AWAY = 1001;

const CLOSE = 0x8;
const MASKED = 0x80;
const KEY_BYTES = 4;

/**
 * Follows one direction of a WebSocket from frame to frame, without looking at what is in them (RFC 6455, section
 * 5.2), so that a frame of our own can be put between two of them and never into one. What costs is a header, not its
 * payload. Where a message is in several frames, a control frame may come between these (section 5.4).
 */
export class WebSocketFrames {
  /** Bytes of the header read so far; 0: between two frames, unless there is payload left. */
  #at = 0;
  /** Length of the header, as far as it is known. */
  #headerLength = 2;
  /** Bytes of the header that tell a length of 126 or more. */
  #extended = 0;
  #length = 0;
  /** Bytes of the payload that are still to come. */
  #left = 0;
  #closed = false;

  /** The last frame is whole. */
  get between(): boolean {
    return this.#at === 0 && this.#left === 0;
  }

  /** A close frame has begun: no other frame may follow it (section 5.5.1). */
  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Takes what comes next.
   * @param upToEnd stop behind the first end of a frame
   * @returns how much was taken: all, or up to that end
   */
  take(bytes: Buffer, upToEnd = false): number {
    let at = 0;
    while (at < bytes.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at);
        this.#left -= taken;
        at += taken;
      } else this.#header(bytes[at++] ?? 0);
      if (upToEnd && this.between) break;
    }
    return at;
  }

  #header(byte: number): void {
    const at = this.#at++;
    if (at === 0) {
      this.#closed ||= (byte & 0x0f) === CLOSE;
      return;
    }
    if (at === 1) {
      const short = byte & ~MASKED;
      this.#extended = short === 126 ? 2 : short === 127 ? 8 : 0;
      this.#length = this.#extended === 0 ? short : 0;
      this.#headerLength = 2 + this.#extended + ((byte & MASKED) === 0 ? 0 : KEY_BYTES);
    } else if (at < 2 + this.#extended) this.#length = this.#length * 256 + byte;
    if (this.#at < this.#headerLength) return;
    this.#at = 0;
    this.#left = this.#length;
  }
}

/**
 * A close frame with the code 1001, as a server sends it, or as a client does: masked with a key that nobody can tell
 * beforehand (RFC 6455, sections 5.3 and 5.5.1).
 */
export function goingAway(toward: 'client' | 'server'): Buffer {
  const [high, low] = [GOING_AWAY >> 8, GOING_AWAY & 0xff];
  if (toward === 'client') return Buffer.from([0x80 | CLOSE, 2, high, low]);
  const key = randomBytes(KEY_BYTES);
  return Buffer.from([0x80 | CLOSE, MASKED | 2, ...key, high ^ (key[0] ?? 0), low ^ (key[1] ?? 0)]);
}
