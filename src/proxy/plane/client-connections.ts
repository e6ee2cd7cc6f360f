import type { Socket } from 'node:net';
import type { Clock } from '../../core/clock.ts';
import type { LiveFrontend } from './live-frontend.ts';

/** The client connections of one plane: counted, limited, and waited for when the plane is emptied. */
export class ClientConnections {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #open = 0;
  /** `global.maxconn`. */
  limit = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get open(): number {
    return this.#open;
  }

  /**
   * Counts an accepted connection, or ends it where the frontend or the plane has as many as it may: then false.
   * HAProxy leaves such connections unaccepted; Node cannot, and a client that is refused knows where it stands.
   */
  admit(socket: Socket, frontend: LiveFrontend): boolean {
    const { tally, config } = frontend;
    const now = this.#clock.now();
    if (this.#open >= this.limit || tally.sessions.scur >= config.maxconn) {
      tally.dcon++;
      socket.on('error', () => {});
      socket.resetAndDestroy();
      return false;
    }
    this.#open++;
    tally.connTot++;
    tally.connections.hit(now);
    tally.sessions.begin(now);
    socket.once('close', () => {
      tally.sessions.end();
      this.#open--;
      if (this.#open === 0) for (const wake of [...this.#waiting]) wake();
    });
    return true;
  }

  /** Resolves once none is open. */
  allClosed(): Promise<void> {
    if (this.#open === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        this.#waiting.delete(wake);
        resolve();
      };
      this.#waiting.add(wake);
    });
  }
}
