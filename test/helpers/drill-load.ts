import { Agent, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonic } from './drill-instances.ts';
import { eventually } from './eventually.ts';

/** What one client does over and over. */
export interface Client {
  readonly method: 'GET' | 'POST';
  /** Of drill-instance.mjs, with what it is to do: `/late?ms=40`. */
  readonly path: string;
  /** One connection for all its requests, or a new one for each. */
  readonly keepAlive: boolean;
}

export interface Answered {
  readonly method: string;
  readonly keepAlive: boolean;
  /** Unique among all requests of this process. */
  readonly id: string;
  /** Undefined: no answer came. */
  readonly status: number | undefined;
  /** Name of the instance that answered. */
  readonly instance: string | undefined;
  /** What was wrong; undefined: a whole 200. */
  readonly problem: string | undefined;
  readonly ms: number;
  /** When it was over, as {@link monotonic} tells. */
  readonly at: number;
}

export interface LoadOptions {
  readonly port: number;
  readonly clients?: readonly Client[];
  /** Of each client between an answer and its next request, ms. */
  readonly pause?: number;
}

const TIMEOUT_MS = 20_000;
const WHOLE = /^(\S+)\nx{2000}\nend\n$/;

/** GET and POST, quick and slow, over kept and over new connections: about 400 requests a second. */
export const MIXED: readonly Client[] = [
  { method: 'GET', path: '/fast', keepAlive: true },
  { method: 'GET', path: '/fast', keepAlive: true },
  { method: 'GET', path: '/fast', keepAlive: true },
  { method: 'GET', path: '/late?ms=60', keepAlive: true },
  { method: 'GET', path: '/late?ms=60', keepAlive: false },
  { method: 'GET', path: '/fast', keepAlive: false },
  { method: 'POST', path: '/post?ms=60', keepAlive: true },
  { method: 'POST', path: '/post?ms=60', keepAlive: false },
  { method: 'POST', path: '/post', keepAlive: true },
  // Nothing of them would stand in the way of sending them again, but that they are POSTs.
  { method: 'POST', path: '/empty?ms=60', keepAlive: true },
  { method: 'POST', path: '/empty', keepAlive: false },
];

/** Clients that go on until they are told to stop, and what they were answered. */
export class Load {
  readonly answered: Answered[] = [];
  readonly #options: LoadOptions;
  readonly #running: Promise<void>[];
  #stopped = false;

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#running = (options.clients ?? MIXED).map((client) => this.#run(client));
  }

  get failed(): readonly Answered[] {
    return this.answered.filter(({ problem }) => problem !== undefined);
  }

  /** Waits for that many answers from now on. */
  async more(count: number, withinMs = 30_000): Promise<void> {
    const goal = this.answered.length + count;
    await eventually(() => {
      if (this.answered.length < goal)
        throw new Error(`${this.answered.length} of ${goal} requests answered`);
    }, withinMs);
  }

  /** Ends every client after the request it is at. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.all(this.#running);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #run(client: Client): Promise<void> {
    const { port, pause = 15 } = this.#options;
    const agent = new Agent({ keepAlive: client.keepAlive, maxSockets: 1 });
    try {
      while (!this.#stopped) {
        this.answered.push(await ask(port, client.path, { ...client, agent }));
        await sleep(pause);
      }
    } finally {
      agent.destroy();
    }
  }
}

let requests = 0;

/** One request to an instance; never rejects. */
export function ask(
  port: number,
  path: string,
  { method = 'GET', keepAlive = false, agent = false as Agent | false } = {},
): Promise<Answered> {
  const id = `${process.pid}-${++requests}`;
  const target = `${path}${path.includes('?') ? '&' : '?'}id=${id}`;
  const body = method === 'POST' ? (path.startsWith('/empty') ? '' : id) : undefined;
  const startedAt = performance.now();
  return new Promise((resolve) => {
    let answer: IncomingMessage | undefined;
    let text = '';
    const end = (problem?: string) => {
      clearTimeout(timer);
      const [, instance] = text.match(/^(\S+)\n/) ?? [];
      const status = answer?.statusCode;
      const ms = performance.now() - startedAt;
      resolve({ method, keepAlive, id, status, instance, problem, ms, at: monotonic() });
    };
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        method,
        path: target,
        agent,
        headers: body === undefined ? {} : { 'content-length': body.length },
      },
      (incoming) => {
        answer = incoming;
        incoming.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        incoming.on('error', (error) => end(`${path}: cut after ${text.length} bytes: ${error.message}`));
        incoming.on('end', () => {
          if (incoming.statusCode !== 200) end(`${path}: ${incoming.statusCode} ${text.slice(0, 120)}`);
          else if (!WHOLE.test(text)) end(`${path}: broken body of ${text.length} bytes`);
          else end();
        });
      },
    );
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      const connection = outgoing.reusedSocket ? 'kept' : 'new';
      end(`${path}: ${error.code ?? error.message} on a ${connection} connection`);
    });
    const timer = setTimeout(() => outgoing.destroy(new Error('no answer in time')), TIMEOUT_MS);
    outgoing.end(body);
  });
}

/**
 * Whether it came over a connection that nobody had accepted when accepting ended: refused, or reset by the system
 * while it waited to be accepted.
 */
export function cameTooLate({ problem = '' }: Answered): boolean {
  return /ECONN(?:REFUSED|RESET) on a new connection$/.test(problem);
}

/** How many of each problem there were, for a failure that says what happened. */
export function problems(answered: readonly Answered[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { method, keepAlive, problem } of answered) {
    if (problem === undefined) continue;
    const key = `${keepAlive ? 'kept' : 'new'} ${method} ${problem}`;
    counts[key] = (counts[key] ?? 0) + 1;
  }
  return counts;
}
