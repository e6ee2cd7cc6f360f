import { Agent } from 'node:http';
import { monotonic } from './drill-instances.ts';
import { type Answered, ask } from './drill-load.ts';

const TICK_MS = 10;

/** What one request was, in turn: most over kept connections, one in five over a new one, one in five a POST. */
const KINDS = [
  { method: 'GET', keepAlive: true },
  { method: 'GET', keepAlive: true },
  { method: 'POST', keepAlive: true },
  { method: 'GET', keepAlive: false },
  { method: 'GET', keepAlive: true },
] as const;

export interface Begun extends Answered {
  /** When it was sent, as {@link monotonic} tells. */
  readonly from: number;
}

/** Requests that come at their own pace, however slowly they are answered. */
export class OpenLoad implements AsyncDisposable {
  readonly answered: Begun[] = [];
  readonly #agent = new Agent({ keepAlive: true });
  readonly #port: number;
  readonly #timer: NodeJS.Timeout;
  readonly #startedAt = monotonic();
  readonly #pending = new Set<Promise<void>>();
  #sent = 0;
  #perSecond: number;
  #sentBefore = 0;
  #since = this.#startedAt;

  constructor(port: number, perSecond: number) {
    this.#port = port;
    this.#perSecond = perSecond;
    this.#timer = setInterval(() => this.#send(), TICK_MS);
  }

  /** From now on so many come. */
  set perSecond(perSecond: number) {
    this.#sentBefore = this.#sent;
    this.#since = monotonic();
    this.#perSecond = perSecond;
  }

  /** Sent and not answered. */
  get pending(): number {
    return this.#pending.size;
  }

  get sent(): number {
    return this.#sent;
  }

  /** Connections kept open, at work or idle. */
  get connections(): number {
    const { sockets, freeSockets } = this.#agent;
    return [...Object.values(sockets), ...Object.values(freeSockets)].reduce(
      (sum, list = []) => sum + list.length,
      0,
    );
  }

  /** Sends nothing more and waits for what was sent. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await Promise.all(this.#pending);
    this.#agent.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  #send(): void {
    const due = this.#sentBefore + ((monotonic() - this.#since) * this.#perSecond) / 1000;
    while (this.#sent < due) {
      const { method, keepAlive } = KINDS[this.#sent++ % KINDS.length] ?? KINDS[0];
      const from = monotonic();
      const options = { method, keepAlive, agent: keepAlive ? this.#agent : (false as const) };
      const one = ask(this.#port, '/work', options).then((answered) => {
        this.answered.push({ ...answered, from });
        this.#pending.delete(one);
      });
      this.#pending.add(one);
    }
  }
}
