/** What somebody told the agents of a cluster, by {@link https://developer.hashicorp.com/consul/api-docs/event}. */
export interface UserEvent {
  /** UUID. */
  readonly id: string;
  readonly name: string;
  readonly payload: Buffer;
  /** Regular expressions; empty: everybody. */
  readonly nodeFilter: string;
  readonly serviceFilter: string;
  readonly tagFilter: string;
}

/** An event that came here, and when: events are counted. */
export interface ReceivedEvent extends UserEvent {
  readonly time: number;
}

/** Events that are remembered, as in Consul. */
const REMEMBERED = 256;

/** The last events, in memory only, and whoever waits for the next one. */
export class UserEvents {
  readonly #received: ReceivedEvent[] = [];
  readonly #waiting = new Set<() => void>();
  #time = 0;

  /** Oldest first. */
  get received(): readonly ReceivedEvent[] {
    return this.#received;
  }

  receive(event: UserEvent): void {
    this.#time++;
    this.#received.push({ ...event, time: this.#time });
    if (this.#received.length > REMEMBERED) this.#received.shift();
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Resolves with the next event, or rejects with the signal's reason. */
  next(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const wake = () => {
        signal.removeEventListener('abort', giveUp);
        resolve();
      };
      const giveUp = () => {
        this.#waiting.delete(wake);
        reject(signal.reason);
      };
      this.#waiting.add(wake);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  }
}
