/**
 * The framing of MySQL's client/server protocol: a payload length of three bytes (little-endian), a sequence number,
 * the payload. https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_basic_packets.html
 */

export const HEADER_BYTES = 4;

/** A payload of this length is followed by another packet that continues it. */
const LONGEST_PAYLOAD = 0xffffff;

/** Bytes of a payload that are kept: more than the longest beginning that anyone here reads. */
export const KEPT_BYTES = 40;

/** One packet that has passed by. */
export interface Packet {
  readonly sequence: number;
  /** Length of the payload, without those that continue it. */
  readonly length: number;
  /** The first {@link KEPT_BYTES} of the payload; only valid until the next packet. */
  readonly head: Buffer;
  /** It continues the packet before it, so that its first byte means nothing. */
  readonly continues: boolean;
}

/** Finds the packets in a stream of bytes and keeps nothing of them but their beginnings. */
export class PacketScanner {
  readonly #onPacket: (packet: Packet) => void;
  readonly #isDull: (first: number) => boolean;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  readonly #kept = Buffer.alloc(KEPT_BYTES);
  #headerBytes = 0;
  #length = 0;
  #passed = 0;
  #continues = false;

  /**
   * @param onPacket called when the last byte of a packet has come
   * @param isDull by its first byte, whether nobody wants to hear of a packet: most are rows
   */
  constructor(onPacket: (packet: Packet) => void, isDull: (first: number) => boolean = () => false) {
    this.#onPacket = onPacket;
    this.#isDull = isDull;
  }

  /** In the middle of a packet. */
  get isWithin(): boolean {
    return this.#headerBytes > 0;
  }

  push(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      const whole = this.#headerBytes === 0 ? this.#takeWhole(bytes, at) : 0;
      if (whole > 0) {
        at += whole;
        continue;
      }
      if (this.#headerBytes < HEADER_BYTES) {
        this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
        if (this.#headerBytes < HEADER_BYTES) continue;
        this.#length = this.#header.readUIntLE(0, 3);
        this.#passed = 0;
        if (this.#length > 0) continue;
      } else {
        const take = Math.min(this.#length - this.#passed, bytes.length - at);
        if (this.#passed < KEPT_BYTES) bytes.copy(this.#kept, this.#passed, at, at + take);
        this.#passed += take;
        at += take;
      }
      if (this.#passed === this.#length) this.#complete();
    }
  }

  /** A packet that has come in one piece is not copied. Returns its size; 0: it has not. */
  #takeWhole(bytes: Buffer, at: number): number {
    const begin = at + HEADER_BYTES;
    if (begin >= bytes.length) return 0;
    const length = (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8) | ((bytes[at + 2] ?? 0) << 16);
    if (length === 0 || begin + length > bytes.length) return 0;
    if (this.#continues || length === LONGEST_PAYLOAD || !this.#isDull(bytes[begin] ?? 0)) {
      const head = bytes.subarray(begin, begin + Math.min(length, KEPT_BYTES));
      this.#tell(bytes[at + 3] ?? 0, length, head);
    }
    return HEADER_BYTES + length;
  }

  #complete(): void {
    const head = this.#kept.subarray(0, Math.min(this.#length, KEPT_BYTES));
    this.#headerBytes = 0;
    this.#tell(this.#header[3] ?? 0, this.#length, head);
  }

  #tell(sequence: number, length: number, head: Buffer): void {
    const continues = this.#continues;
    this.#continues = length === LONGEST_PAYLOAD;
    this.#onPacket({ sequence, length, head, continues });
  }
}

/** A packet ready to be sent. */
export function packet(sequence: number, payload: Buffer): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUIntLE(payload.length, 0, 3);
  header.writeUInt8(sequence, 3);
  return Buffer.concat([header, payload]);
}

/** The first packet of these bytes, as soon as they hold all of it. */
export function firstPacket(
  bytes: Buffer,
): { readonly sequence: number; readonly payload: Buffer; readonly size: number } | undefined {
  if (bytes.length < HEADER_BYTES) return undefined;
  const size = HEADER_BYTES + bytes.readUIntLE(0, 3);
  if (bytes.length < size) return undefined;
  return { sequence: bytes.readUInt8(3), payload: bytes.subarray(HEADER_BYTES, size), size };
}

/** A length-encoded integer, and where the next thing begins; undefined where there is none. */
export function lengthEncoded(bytes: Buffer, at: number): { value: number; next: number } | undefined {
  const first = bytes[at];
  if (first === undefined || first === 0xfb || first === 0xff) return undefined;
  if (first < 0xfb) return { value: first, next: at + 1 };
  const size = first === 0xfc ? 2 : first === 0xfd ? 3 : 8;
  if (bytes.length < at + 1 + size) return undefined;
  const value = size === 8 ? Number(bytes.readBigUInt64LE(at + 1)) : bytes.readUIntLE(at + 1, size);
  return { value, next: at + 1 + size };
}
