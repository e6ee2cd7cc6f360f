import type { CookieConfig, StickFetch, StickTableConfig } from '../../config/runtime/stickiness.ts';
import type { CookieVerdict } from './cookie-request.ts';
import { answerCookie, type SetCookieState } from './cookie-response.ts';
import { answerKey } from './stick-key.ts';
import type { StickyServers } from './sticky-servers.ts';

/** What a request needs of its backend to become someone's. */
export interface StickBackend {
  readonly cookie: CookieConfig | undefined;
  readonly servers: StickyServers;
  remember(key: string, id: string): void;
  readonly tableConfig: StickTableConfig | undefined;
}

export interface StickFound {
  readonly bound: string | undefined;
  readonly verdict: CookieVerdict | undefined;
  /** What the client is to be known by from now on. */
  readonly keys: readonly string[];
  /** What of the answer it is to be known by. */
  readonly answers: readonly StickFetch[];
  readonly ignored: boolean;
  /** Seconds since 1970. */
  readonly second: number;
  readonly method: string;
  readonly headers: readonly string[];
}

/** One request or connection of a client that may belong to a server. */
export class Stick {
  /** Id of the server that it is to go to; undefined: to any. */
  readonly bound: string | undefined;
  /** The request's fields as its server gets them. */
  readonly headers: readonly string[];
  readonly #backend: StickBackend;
  readonly #found: StickFound;
  #answered: string | undefined;
  #state: SetCookieState = 'N';

  constructor(backend: StickBackend, found: StickFound) {
    this.#backend = backend;
    this.#found = found;
    this.bound = found.bound;
    this.headers = found.headers;
  }

  /** The server with this id answers or has connected: returns the answer's fields as the client gets them. */
  answered(id: string, headers: readonly string[]): readonly string[] {
    const { keys, answers, verdict, method, ignored, second } = this.#found;
    const backend = this.#backend;
    this.#answered = id;
    for (const key of keys) backend.remember(key, id);
    const table = backend.tableConfig;
    for (const fetch of table ? answers : []) {
      const key = table && answerKey(fetch, table, headers);
      if (key !== undefined) backend.remember(key, id);
    }
    const own = backend.servers.of(id)?.value;
    if (!backend.cookie || !verdict || own === undefined) return headers;
    const direct = verdict.server === id;
    const { claim } = verdict;
    const answer = answerCookie(backend.cookie, headers, {
      method,
      own,
      direct,
      claim,
      ignored,
      now: second,
    });
    this.#state = answer.state;
    return answer.headers;
  }

  /** HAProxy's two letters of cookies (configuration manual, section 8.5); undefined: there is no cookie. */
  get letters(): string | undefined {
    const { verdict } = this.#found;
    if (!verdict) return undefined;
    // It had to go to another server after all.
    const moved = this.#answered !== undefined && this.#answered !== verdict.server;
    return `${verdict.state === 'V' && moved ? 'D' : verdict.state}${this.#state}`;
  }
}
