import { randomBytes } from 'node:crypto';
import type { Cancel, Clock } from '../core/clock.ts';

/** What Node takes: a name, a key to encrypt with and one to sign with, 16 bytes each. */
const KEY_BYTES = 48;
/** For so long a key is used, ms. Node knows one at a time: sessions of the former one begin with a whole handshake. */
const KEY_LIFE_MS = 12 * 3_600_000;

/**
 * The key that TLS sessions are resumed with (RFC 5077, RFC 8446 section 4.6.1), made anew in time, for all planes to
 * have the same: a client that comes back is not known to come to the same one. It is never written anywhere.
 */
export class TicketKeys {
  readonly #clock: Clock;
  readonly #tell: (key: Uint8Array) => void;
  #cancel: Cancel | undefined;

  constructor(clock: Clock, tell: (key: Uint8Array) => void) {
    this.#clock = clock;
    this.#tell = tell;
  }

  /** Makes the first. To be called once. */
  start(): void {
    this.#cancel = this.#clock.after(KEY_LIFE_MS, () => this.start());
    this.#tell(randomBytes(KEY_BYTES));
  }

  stop(): void {
    this.#cancel?.();
  }
}
