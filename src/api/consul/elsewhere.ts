import type { Clock } from '../../core/clock.ts';
import { sleep } from '../../core/clock.ts';
import type { Copy, Datacenter } from '../datacenters/datacenter.ts';
import type { Datacenters } from '../datacenters/datacenters.ts';
import { FORWARDED_HEADER, type Said } from '../datacenters/upstream.ts';
import { type Answer, empty } from './answer.ts';
import { datacenterOf, demandElsewhere } from './elsewhere-rights.ts';
import type { ParkedQueries } from './parked-queries.ts';
import { lastingQuery, type ReadOptions, readOptions } from './query.ts';
import { Refusal } from './refusal.ts';
import type { Call, Route } from './route.ts';

/** What is handed on of an answer's headers, in Go's spelling. */
const HEADERS = [
  'X-Consul-Index',
  'X-Consul-Knownleader',
  'X-Consul-Lastcontact',
  'X-Consul-Effective-Consistency',
  'X-Cache',
  'Age',
  'X-Content-Type-Options',
  'Content-Security-Policy',
] as const;

/** Consul adds up to a sixteenth to the wait of a blocking query. */
const LONGEST_JITTER = 17 / 16;
/** Beyond the time that an answer may take, before it is given up here, ms. */
const MARGIN = 1_000;
/** Between two attempts of a blocking query to reach a datacenter that is away, ms. */
const RETRY_AFTER = 1_000;

/** In Consul's words. */
const UNREACHABLE = 'Remote DC has no server currently reachable';

/** Has requests that name another datacenter answered there, as Consul's servers forward them. */
export class Elsewhere {
  readonly #datacenters: Datacenters;
  readonly #parked: ParkedQueries;
  readonly #clock: Clock;

  constructor(options: { datacenters: Datacenters; parked: ParkedQueries; clock: Clock }) {
    this.#datacenters = options.datacenters;
    this.#parked = options.parked;
    this.#clock = options.clock;
  }

  /**
   * Undefined: it is for this datacenter to answer or to refuse. A request that another Vane has sent on stays here.
   *
   * @param path of the request's target, as it came
   */
  answer(route: Route, method: string, call: Call, path: string): Promise<Answer> | undefined {
    if (this.#datacenters.isEmpty || call.header(FORWARDED_HEADER) !== undefined) return undefined;
    const name = datacenterOf(route, call);
    if (name === undefined || name === this.#datacenters.own) return undefined;
    const datacenter = this.#datacenters.get(name);
    if (!datacenter) return undefined;
    demandElsewhere(route, method, call);
    const query = new URLSearchParams(call.query);
    query.set('dc', name);
    if (method !== 'GET') return write(datacenter, method, call, path, query);
    return this.#read(datacenter, call, path, query).then((answer) => {
      // A token may have been taken back during the wait.
      demandElsewhere(route, method, call);
      return answer;
    });
  }

  async #read(datacenter: Datacenter, call: Call, path: string, query: URLSearchParams): Promise<Answer> {
    const options = readOptions(call.query, call.header('cache-control'));
    const key = `${path}?${lastingQuery(query)}`;
    const wait = options.index > 0 ? options.wait * LONGEST_JITTER : 0;
    const { timeout } = datacenter.config;
    const until = this.#clock.now() + wait;
    let said: Said | undefined;
    await this.#parked.hold(
      async (signal) => {
        said = await this.#asked({ datacenter, path, query, key, until, options, signal });
      },
      until + timeout + MARGIN,
      call.onGone,
    );
    if (said) return relayed(said);
    const copy = tellable(datacenter.copy(key), options);
    if (!copy) throw new Refusal(500, UNREACHABLE);
    datacenter.countStale();
    return stale(copy);
  }

  /**
   * Its answer; undefined: it is away. A blocking query for which there is nothing newer goes on asking, so that its
   * sender does not come back at once.
   */
  async #asked(reading: {
    readonly datacenter: Datacenter;
    readonly path: string;
    readonly query: URLSearchParams;
    readonly key: string;
    /** Clock ms. */
    readonly until: number;
    readonly options: ReadOptions;
    readonly signal: AbortSignal;
  }): Promise<Said | undefined> {
    const { datacenter, path, query, key, until, options, signal } = reading;
    for (;;) {
      const left = Math.max(0, until - this.#clock.now());
      const copy = tellable(datacenter.copy(key), options);
      if (!copy || !datacenter.isAway) {
        if (options.index > 0) query.set('wait', `${Math.max(1, Math.floor(left / LONGEST_JITTER))}ms`);
        const target = `${path}?${query}`;
        const within = left + datacenter.config.timeout;
        const said = await datacenter.ask({ method: 'GET', target, within, signal }, key);
        if (said) return said;
      }
      if (!copy || options.index === 0 || indexOf(copy.value) > options.index) return undefined;
      const rest = until - this.#clock.now();
      if (rest <= 0) return undefined;
      await sleep(this.#clock, Math.min(RETRY_AFTER, rest), signal);
    }
  }
}

async function write(
  datacenter: Datacenter,
  method: string,
  call: Call,
  path: string,
  query: URLSearchParams,
): Promise<Answer> {
  const within = datacenter.config.timeout;
  const said = await datacenter.ask({ method, target: `${path}?${query}`, body: call.bytes, within });
  if (!said) throw new Refusal(500, UNREACHABLE);
  return relayed(said);
}

/** A copy that the client takes. */
function tellable(copy: Copy<Said> | undefined, options: ReadOptions): Copy<Said> | undefined {
  if (options.consistency === 'consistent') return undefined;
  return copy && copy.age <= options.maxStale ? copy : undefined;
}

function indexOf({ headers }: Said): number {
  return Number(headers['x-consul-index'] ?? 0);
}

function relayed({ status, headers, body }: Said): Answer {
  const kept: Record<string, string> = {};
  for (const name of HEADERS) {
    const value = headers[name.toLowerCase()];
    if (value !== undefined) kept[name] = value;
  }
  const type = headers['content-type'];
  if (body.length === 0 && type === undefined) return empty(status, kept);
  return { status, headers: kept, content: { bytes: body, type: type ?? 'text/plain; charset=utf-8' } };
}

/** Told as Consul tells what a server knows that has lost its leader, and as its agent tells what it has cached. */
function stale({ value, age }: Copy<Said>): Answer {
  const answer = relayed(value);
  return {
    ...answer,
    headers: {
      ...answer.headers,
      'X-Consul-Knownleader': 'false',
      'X-Consul-Lastcontact': String(Math.round(age)),
      'X-Consul-Effective-Consistency': 'stale',
      'X-Cache': 'HIT',
      Age: String(Math.floor(age / 1_000)),
    },
  };
}
