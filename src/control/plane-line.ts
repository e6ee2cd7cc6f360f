import { type ServerChange, type ServerSet, serverId } from '../balance/server.ts';
import type { RuntimeConfig } from '../config/runtime/config.ts';
import type { Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import type { ControlEnd } from '../proxy/plane/channel.ts';
import type { PlaneCounters } from '../proxy/plane/counters.ts';
import type { BindProblem, FromPlane, Listening } from '../proxy/plane/messages.ts';
import type { StickEntry } from '../proxy/stick/stick-table.ts';
import type { TableAnswer, TableQuestion } from '../proxy/stick/table-question.ts';
import { Answers } from './answers.ts';

/** What the plane tells without being asked. */
export interface PlaneNews {
  idle(backend: string, server: string): void;
  /** It does not know the servers of a backend, and needs all of them. */
  missed(backend: string): void;
  trouble(message: Extract<FromPlane, { type: 'trouble' }>): void;
  steered(message: Extract<FromPlane, { type: 'steered' }>): void;
  observed(message: Extract<FromPlane, { type: 'observed' }>): void;
  /** What it remembers of clients. */
  stuck(backend: string, entries: readonly StickEntry[]): void;
}

/** A plane that does not answer for this long is broken, ms. */
const ANSWER_WITHIN_MS = 10_000;
/** How much later than its deadline a drain may be reported, ms. */
const DRAIN_GRACE_MS = 1_000;

/** Control's side of the line to a data plane: questions become promises, news become calls. */
export class PlaneLine {
  readonly #channel: ControlEnd;
  readonly #answers: Answers;
  #generation = 0;
  #question = 0;

  constructor(channel: ControlEnd, clock: Clock, news: PlaneNews) {
    this.#channel = channel;
    this.#answers = new Answers(clock, 'the data plane');
    channel.onMessage((message) => {
      switch (message.type) {
        case 'idle':
          return news.idle(message.backend, message.server);
        case 'missed':
          return news.missed(message.backend);
        case 'trouble':
          return news.trouble(message);
        case 'observed':
          return news.observed(message);
        case 'steered':
          return news.steered(message);
        case 'stuck':
          return news.stuck(message.backend, message.entries);
        default:
          return this.#answers.take(message);
      }
    });
  }

  /** Rejects with BIND_FAILED, naming every address that could not be listened on; then nothing has changed. */
  async configure(config: RuntimeConfig, sets: readonly ServerSet[]): Promise<readonly Listening[]> {
    const generation = ++this.#generation;
    const { frontends, backends, global } = config;
    const { maxconn, closeSpread } = global;
    this.#channel.post({ type: 'config', generation, maxconn, closeSpread, frontends, backends, sets });
    const answer = await this.#answers.wait(`config ${generation}`, ANSWER_WITHIN_MS);
    if (answer.type === 'applied') return answer.listening;
    const { problems = [], why = undefined } = answer.type === 'rejected' ? answer : {};
    throw new VaneError('BIND_FAILED', describe(problems, why));
  }

  setTicketKey(key: Uint8Array): void {
    this.#channel.post({ type: 'tickets', key });
  }

  /** Tells it what others remember of clients. */
  learn(backend: string, entries: readonly StickEntry[]): void {
    this.#channel.post({ type: 'stick', backend, entries });
  }

  /** Has it say all that it remembers of clients. */
  teach(): void {
    this.#channel.post({ type: 'teach' });
  }

  setServers(set: ServerSet): void {
    this.#channel.post({ type: 'servers', set });
  }

  changeServers(change: ServerChange): void {
    this.#channel.post({ type: 'change', change });
  }

  async collect(): Promise<PlaneCounters> {
    const id = ++this.#question;
    this.#channel.post({ type: 'collect', id });
    const answer = await this.#answers.wait(`counters ${id}`, ANSWER_WITHIN_MS);
    if (answer.type === 'counters') return answer.counters;
    throw new VaneError('INTERNAL', 'the data plane answered something else');
  }

  /** What the tables of a backend hold, or what was done with them. Rejects with INTERNAL. */
  async askTable(backend: string, question: TableQuestion): Promise<TableAnswer> {
    const id = ++this.#question;
    this.#channel.post({ type: 'table', id, backend, question });
    const told = await this.#answers.wait(`table ${id}`, ANSWER_WITHIN_MS);
    if (told.type === 'table' && told.answer) return told.answer;
    throw new VaneError('INTERNAL', `the data plane tells of no table ${backend}`);
  }

  /** Whoever still waits for an answer gets none. */
  close(): void {
    this.#answers.fail(new VaneError('STOPPING', 'the data plane has stopped'));
  }

  /** Resolves to how much had to be cut at the end. */
  async drain(withinMs: number): Promise<number> {
    this.#channel.post({ type: 'drain', withinMs });
    const answer = await this.#answers.wait('drained', withinMs + DRAIN_GRACE_MS);
    return answer.type === 'drained' ? answer.cut : 0;
  }
}

function describe(problems: readonly BindProblem[], why: string | undefined): string {
  if (problems.length === 0) return why ?? 'the data plane takes no configuration any more';
  return problems
    .map(
      ({ frontend, bind, message }) => `frontend ${frontend}: ${serverId(bind.host, bind.port)}: ${message}`,
    )
    .join('; ');
}
