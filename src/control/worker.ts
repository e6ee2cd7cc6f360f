import type { Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import type { PlaneCounters } from '../proxy/plane/counters.ts';
import type { FromPlane, PlaneNews, ToPlane } from '../proxy/plane/messages.ts';
import type { WorkerSettings } from '../proxy/plane/worker-channel.ts';
import type { TableAnswer, TableQuestion } from '../proxy/stick/table-question.ts';
import { Answers } from './answers.ts';
import { NOTHING } from './merge-counters.ts';
import type { SocketsByKey } from './shared-sockets.ts';
import type { WorkerProcess } from './worker-process.ts';

type ConfigMessage = Extract<ToPlane, { type: 'config' }>;

/** How long a worker may take to tell what it counts or remembers, ms; a busy one is late rather than broken. */
const TOLD_WITHIN_MS = 2_000;
/** How much later than its deadline a drain may be reported, ms. */
const DRAIN_GRACE_MS = 800;

export interface WorkerOptions {
  /** What people call it: 1, 2, … */
  readonly number: number;
  readonly process: WorkerProcess;
  readonly clock: Clock;
  readonly news: (message: PlaneNews) => void;
  readonly ended: (why: string) => void;
}

/** One worker process, from its start to its end: what it has been given, asked and told last. */
export class Worker {
  readonly number: number;
  readonly startedAt: number;
  /** Resolves when it is no more. */
  readonly over: Promise<void>;
  readonly #process: WorkerProcess;
  readonly #answers: Answers;
  readonly #given = new WeakSet<object>();
  #counters = NOTHING;
  #accessDropped = 0;
  #generation = 0;
  #question = 0;
  #drained: Promise<number> | undefined;

  constructor({ number, process, clock, news, ended }: WorkerOptions) {
    const over = Promise.withResolvers<void>();
    this.number = number;
    this.startedAt = clock.now();
    this.over = over.promise;
    this.#process = process;
    this.#answers = new Answers(clock, `worker ${number}`);
    process.onMessage(({ message, accessDropped }) => {
      this.#accessDropped = accessDropped;
      if (isNews(message)) news(message);
      else this.#answers.take(message);
    });
    process.onEnd((why) => {
      over.resolve();
      this.#answers.fail(new VaneError('INTERNAL', `worker ${number} has ended: ${why}`));
      ended(why);
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** As it last told them. */
  get counters(): PlaneCounters {
    return this.#counters;
  }

  get accessDropped(): number {
    return this.#accessDropped;
  }

  set({ log, hardStopAfter }: Omit<WorkerSettings, 'worker'>): void {
    this.#process.post({ type: 'settings', settings: { worker: this.number, log, hardStopAfter } });
  }

  /**
   * Gives it a configuration with the sockets that it does not have yet. Resolves to its answer, `applied` or
   * `rejected`; rejects with INTERNAL when there is none within so many ms.
   */
  configure(config: Omit<ConfigMessage, 'generation'>, sockets: SocketsByKey, within: number) {
    for (const [key, socket] of sockets) {
      if (this.#given.has(socket)) continue;
      this.#given.add(socket);
      this.#process.post({ type: 'socket', key }, socket);
    }
    const generation = ++this.#generation;
    this.tell({ ...config, generation });
    return this.#answers.wait(`config ${generation}`, within);
  }

  tell(message: ToPlane): void {
    this.#process.post({ type: 'plane', message });
  }

  /** Rejects with INTERNAL; then its counters are still the last ones. */
  async collect(within = TOLD_WITHIN_MS): Promise<void> {
    const id = ++this.#question;
    this.tell({ type: 'collect', id });
    const answer = await this.#answers.wait(`counters ${id}`, within);
    if (answer.type === 'counters') this.#counters = answer.counters;
  }

  /** Rejects with INTERNAL; what was to be done is done as soon as it can. */
  async askTable(backend: string, question: TableQuestion): Promise<TableAnswer | undefined> {
    const id = ++this.#question;
    this.tell({ type: 'table', id, backend, question });
    const told = await this.#answers.wait(`table ${id}`, TOLD_WITHIN_MS);
    return told.type === 'table' ? told.answer : undefined;
  }

  /**
   * Has it finish what it has, for the whole of Vane stops. Resolves to how much had to be cut; rejects with INTERNAL.
   * One that is retired goes on with that.
   */
  drain(withinMs: number): Promise<number> {
    this.tell({ type: 'drain', withinMs });
    this.#drained ??= this.#emptied(withinMs);
    return this.#drained;
  }

  /** Has it finish what it has, for another has taken its place. Otherwise as {@link drain}. */
  retire(withinMs: number): Promise<number> {
    this.#process.post({ type: 'retire', withinMs });
    this.#drained ??= this.#emptied(withinMs);
    return this.#drained;
  }

  /** Closes the line, upon which it ends by itself. */
  leave(): void {
    this.#process.leave();
  }

  kill(): void {
    this.#process.kill();
  }

  async #emptied(withinMs: number): Promise<number> {
    const answer = await this.#answers.wait('drained', withinMs + DRAIN_GRACE_MS);
    return answer.type === 'drained' ? answer.cut : 0;
  }
}

const NEWS: ReadonlySet<string> = new Set<PlaneNews['type']>([
  'idle',
  'missed',
  'trouble',
  'observed',
  'steered',
  'stuck',
]);

function isNews(message: FromPlane): message is PlaneNews {
  return NEWS.has(message.type);
}
