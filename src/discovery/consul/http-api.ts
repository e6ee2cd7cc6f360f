import { once } from 'node:events';
import type { Agent as HttpAgent, IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import type { ConsulConfig } from '../../config/runtime/resolvers.ts';
import type { Cancel, Clock } from '../../core/clock.ts';
import { messageOf, VaneError } from '../../core/errors.ts';
import { http } from '../../core/http.ts';

/** Connections at once; Consul itself allows 200 of one client (`http_max_conns_per_client`). */
export const MAX_CONNECTIONS = 128;
const MAX_IDLE_CONNECTIONS = 8;
/** Bytes of an answer: some ten thousand instances. */
const LARGEST_ANSWER = 32 * 1024 * 1024;
/** Of the words of whoever refuses. */
const LONGEST_REFUSAL = 200;

export interface ConsulAnswer {
  /** Who has answered. */
  readonly url: string;
  /** 200, or 404 where that is an answer. */
  readonly status: number;
  readonly index: number | undefined;
  /** False: whoever answered knows of no leader, and may be behind. */
  readonly knownLeader: boolean;
  /** The token may not see all of it. Consul says so only to whoever sends one. */
  readonly filtered: boolean;
  readonly body: Buffer;
}

interface Question {
  readonly method: 'GET' | 'PUT';
  /** From `/v1/` on, encoded. */
  readonly path: string;
  readonly body?: string | Uint8Array;
  /** That there is nothing of that name is an answer. */
  readonly mayLack?: boolean;
}

/** Asking has failed. */
export class AskFailure extends VaneError {
  /** Somebody was there, and refused. */
  readonly busy: boolean;
  /** Of the answer; undefined: there was none. */
  readonly status: number | undefined;

  constructor(
    code: VaneError['code'],
    message: string,
    { busy = false, status, cause }: { busy?: boolean; status?: number; cause?: unknown } = {},
  ) {
    super(code, message, { cause });
    this.busy = busy;
    this.status = status;
  }
}

/** The HTTP API of Consul at one of several addresses: one after which asking has failed is left for the next. */
export class ConsulHttpApi {
  readonly #config: Pick<ConsulConfig, 'urls' | 'token' | 'ca'>;
  readonly #clock: Clock;
  readonly #http: HttpAgent;
  readonly #https: HttpsAgent;
  readonly #closing = new AbortController();
  #at = 0;

  constructor(config: Pick<ConsulConfig, 'urls' | 'token' | 'ca'>, clock: Clock) {
    this.#config = config;
    this.#clock = clock;
    const pool = { keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_IDLE_CONNECTIONS };
    this.#http = new http.Agent(pool);
    this.#https = new HttpsAgent(pool);
  }

  /** Addresses that can be asked. */
  get places(): number {
    return this.#config.urls.length;
  }

  get url(): string {
    return this.#config.urls[this.#at] ?? '';
  }

  /**
   * @param path from `/v1/` on, encoded
   * @param within ms until the answer is there in full, from when there is a connection for it; then that is cut
   * Rejects with an {@link AskFailure} for everything but a 200, and with its reason once the signal aborts.
   */
  get(path: string, within: number, signal: AbortSignal): Promise<ConsulAnswer> {
    return this.#ask({ method: 'GET', path }, within, signal);
  }

  /** Like {@link get}, where a 404 is an answer, too: there is nothing of that name. */
  find(path: string, within: number, signal: AbortSignal): Promise<ConsulAnswer> {
    return this.#ask({ method: 'GET', path, mayLack: true }, within, signal);
  }

  /**
   * Like {@link find}, with something to be done. Where it rejects, it may have been done or not; and it may be done a
   * second time, on a connection that was closed meanwhile.
   */
  put(path: string, body: string | Uint8Array, within: number, signal: AbortSignal): Promise<ConsulAnswer> {
    return this.#ask({ method: 'PUT', path, body, mayLack: true }, within, signal);
  }

  /** Has the next address asked from now on, unless another has left this one already. */
  leave(url: string): void {
    if (this.url === url) this.#at = (this.#at + 1) % this.places;
  }

  /** Ends what is under way. */
  close(): void {
    this.#closing.abort();
    this.#http.destroy();
    this.#https.destroy();
  }

  async #ask(question: Question, within: number, signal: AbortSignal): Promise<ConsulAnswer> {
    const { url } = this;
    try {
      return await this.#askAt(url, question, within, signal);
    } catch (error) {
      if (!signal.aborted) this.leave(url);
      throw error;
    }
  }

  async #askAt(url: string, question: Question, within: number, signal: AbortSignal): Promise<ConsulAnswer> {
    const late = new AbortController();
    let cancel: Cancel = () => {};
    // Where there are more watches than connections each has its turn, and nobody there is late meanwhile.
    const begin = () => {
      cancel();
      cancel = this.#clock.after(within, () => late.abort());
    };
    const ends = AbortSignal.any([signal, late.signal, this.#closing.signal]);
    try {
      const answer = await this.#answer(url, question, ends, begin, true);
      const body = await bodyOf(answer, url);
      const { statusCode: status = 0 } = answer;
      if (status !== 200 && !(status === 404 && question.mayLack)) throw refusal(url, answer, body);
      const { 'x-consul-index': index, 'x-consul-knownleader': leader } = answer.headers;
      const filtered = answer.headers['x-consul-results-filtered-by-acls'] === 'true';
      return { url, status, index: numberOf(index), knownLeader: leader !== 'false', filtered, body };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof AskFailure) throw error;
      if (this.#closing.signal.aborted) throw new AskFailure('STOPPING', `${url} is no longer asked`);
      if (late.signal.aborted) {
        const message = `${url} has not answered within ${Math.round(within)} ms`;
        throw new AskFailure('RESOLVE_TIMEOUT', message);
      }
      throw new AskFailure('RESOLVE_FAILED', `${url} cannot be asked: ${messageOf(error)}`, { cause: error });
    } finally {
      cancel();
    }
  }

  /** @param begin called once it has a connection, or the attempt to make one */
  async #answer(
    url: string,
    question: Question,
    signal: AbortSignal,
    begin: () => void,
    kept: boolean,
  ): Promise<IncomingMessage> {
    const { token, ca } = this.#config;
    const secure = url.startsWith('https:');
    const agent = secure ? this.#https : this.#http;
    const { method, path, body } = question;
    const request = (secure ? httpsRequest : http.request)(url + path, {
      method,
      headers: { Accept: 'application/json', ...(token === undefined ? {} : { 'X-Consul-Token': token }) },
      agent: kept ? agent : false,
      signal,
      ...(ca === undefined ? {} : { ca }),
    });
    // Also those that come after the answer has begun, which then ends early.
    request.on('error', () => {});
    request.once('socket', begin);
    const answered = once(request, 'response');
    request.end(body);
    try {
      const [answer]: IncomingMessage[] = await answered;
      if (answer) return answer;
      throw new AskFailure('RESOLVE_FAILED', `${url} does not answer`);
    } catch (error) {
      // A kept connection that was closed meanwhile says nothing about whoever is there.
      if (kept && request.reusedSocket && !signal.aborted)
        return this.#answer(url, question, signal, begin, false);
      throw error;
    }
  }
}

async function bodyOf(answer: IncomingMessage, url: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  // Leaving the loop early destroys the connection.
  for await (const chunk of answer) {
    size += chunk.length;
    if (size > LARGEST_ANSWER) {
      const message = `${url} answers with more than ${LARGEST_ANSWER} bytes`;
      throw new AskFailure('RESOLVE_FAILED', message, { busy: true });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function refusal(url: string, answer: IncomingMessage, body: Buffer): AskFailure {
  const status = answer.statusCode ?? 0;
  const said = body
    .subarray(0, LONGEST_REFUSAL)
    .toString()
    .replaceAll(/\p{Cc}+/gu, ' ')
    .trim();
  const words = said === '' ? '' : `: ${said}`;
  if (status === 401 || status === 403) {
    return new AskFailure('RESOLVE_REFUSED', `${url} refuses the token (${status}${words})`, {
      busy: true,
      status,
    });
  }
  if (status >= 300 && status < 400) {
    return new AskFailure('RESOLVE_FAILED', `${url} redirects (${status}), which is not followed`, {
      busy: true,
      status,
    });
  }
  if (status === 429) {
    return new AskFailure('RESOLVE_FAILED', `${url} is asked too often (429${words})`, {
      busy: true,
      status,
    });
  }
  return new AskFailure('RESOLVE_FAILED', `${url} answers with status ${status}${words}`, {
    busy: true,
    status,
  });
}

function numberOf(header: string | string[] | undefined): number | undefined {
  return typeof header === 'string' && /^\d{1,20}$/.test(header) ? Number(header) : undefined;
}
