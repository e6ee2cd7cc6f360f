import type { ConsulConfig } from '../config/runtime/resolvers.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import { VaneError } from '../core/errors.ts';
import { hasTag } from '../dns/names.ts';
import type { ConsulFacts } from './consul/answers.ts';
import { believed } from './consul/believed.ts';
import { Followed } from './consul/followed.ts';
import { ConsulHttpApi, MAX_CONNECTIONS } from './consul/http-api.ts';
import { nameOf, parseQuestion, pathOf, type Question, srvName } from './consul/question.ts';
import type { Endpoint, Resolution, Resolver } from './resolution.ts';
import { resolution, server, serviceInstance } from './service-instance.ts';

export interface ConsulResolverOptions {
  readonly config: ConsulConfig;
  readonly clock: Clock;
  /** In [0, 1). */
  readonly random: () => number;
  /** Who is asked while Consul's HTTP API does not answer, as it is at that moment. */
  readonly fallback: () => Resolver | undefined;
}

/** One thing that is asked of Consul, and how that goes. */
export interface ConsulWatchView {
  /** `service web`, `service web dc2`, `node lb-1`, `query near`. */
  readonly name: string;
  readonly up: boolean;
  /** The index that is waited to be exceeded; 0: none. */
  readonly index: number;
  /** Queries that failed, in all. */
  readonly failures: number;
  /** ms since the last answer; undefined before the first. */
  readonly age: number | undefined;
  /** Its names are looked up at the nameservers of `fallback`. */
  readonly fallback: boolean;
}

/** One question with all who watch it. */
interface Shared {
  readonly question: Question;
  readonly followed: Followed<ConsulFacts>;
  users: number;
  /** What was made of an answer, by port and tag: nothing changes until the next. */
  readonly made: Map<string, Made>;
}

interface Made {
  readonly facts: ConsulFacts;
  readonly at: number;
  readonly answer: Resolution;
}

/** A watch that says nothing for a third more than this is cut: nobody is out of sight for longer than a minute. */
const WAIT_MS = 30_000;
/** With more watches than connections they take turns: all of them within this time, ... */
const ROUND_MS = 2_000;
/** ... unless that were more than about a thousand queries a second. */
const SHORTEST_WAIT_MS = 128;
/** The HTTP API has to be away for so long before nameservers are asked instead. */
const FALLBACK_AFTER_MS = 10_000;

/**
 * Looks names up in a Consul elsewhere, over its HTTP API: `[tag.]web.service[.dc].consul`, `_web._tag.service.consul`,
 * `lb-1.node.consul` and, by asking every second, `near.query.consul`. Each service is followed by one blocking query
 * for all who watch it. Who is a server is decided as for the registry in this process.
 */
export class ConsulResolver implements Resolver {
  readonly #options: ConsulResolverOptions;
  readonly #api: ConsulHttpApi;
  readonly #shared = new Map<string, Shared>();

  constructor(options: ConsulResolverOptions) {
    this.#options = options;
    this.#api = new ConsulHttpApi(options.config, options.clock);
  }

  get id(): string {
    return this.#options.config.id;
  }

  async resolve(
    name: string,
    port: number | undefined,
    signal: AbortSignal,
    last: readonly Endpoint[],
  ): Promise<Resolution> {
    const question = parseQuestion(name);
    if (!question) return { ok: false, error: notInConsul(name) };
    const { shared, leave } = this.#join(question);
    try {
      await firstWord(shared.followed, signal);
      const { error } = shared.followed;
      if (!error) return this.#answer(shared, question, port);
      if (!this.#fallsBack(shared.followed)) return { ok: false, error };
      return await this.#byNameservers(name, port, signal, last, error);
    } finally {
      leave();
    }
  }

  watch(name: string, fn: () => void): Cancel {
    const question = parseQuestion(name);
    if (!question) return () => {};
    const { shared, leave } = this.#join(question);
    const deaf = shared.followed.listen(fn);
    return () => {
      deaf();
      leave();
    };
  }

  view(): readonly ConsulWatchView[] {
    const now = this.#options.clock.now();
    return [...this.#shared.values()].map(({ question, followed }) => ({
      name: nameOf(question),
      up: followed.error === undefined && followed.answered !== undefined,
      index: followed.index,
      failures: followed.failures,
      age: followed.answered && now - followed.answeredAt,
      fallback: this.#fallsBack(followed),
    }));
  }

  /** Ends every watch. */
  close(): void {
    for (const { followed } of this.#shared.values()) followed.stop();
    this.#shared.clear();
    this.#api.close();
  }

  #join(question: Question): { readonly shared: Shared; readonly leave: Cancel } {
    const { config, clock, random } = this.#options;
    const path = pathOf(question, config.datacenter);
    const wait = () => longestWait(this.#shared.size);
    const shared = this.#shared.get(path) ?? {
      question,
      followed: new Followed({
        api: this.#api,
        path,
        // A prepared query is executed, not watched.
        canWait: question.kind !== 'query',
        read: (answer) => believed(question, answer),
        wait,
        clock,
        random,
      }),
      users: 0,
      made: new Map(),
    };
    this.#shared.set(path, shared);
    shared.users++;
    let left = false;
    const leave = () => {
      if (left) return;
      left = true;
      shared.users--;
      if (shared.users > 0) return;
      shared.followed.stop();
      if (this.#shared.get(path) === shared) this.#shared.delete(path);
    };
    return { shared, leave };
  }

  #answer({ followed, made }: Shared, question: Question, port: number | undefined): Resolution {
    const { answered, answeredAt } = followed;
    if (!answered) return { ok: false, error: new VaneError('RESOLVE_FAILED', `${this.id} has no answer`) };
    const { facts, knownLeader, url } = answered;
    const tag = question.kind === 'service' ? question.tag : undefined;
    const key = `${port ?? ''} ${tag ?? ''}`;
    const known = made.get(key);
    if (known?.facts === facts && known.at === answeredAt) return known.answer;
    const error = `${url} knows of no leader: what it says may be old`;
    const answer = {
      ...serversIn(facts, tag, port, this.#options.config.onlyPassing),
      ...(knownLeader ? {} : { gap: new VaneError('RESOLVE_FAILED', error) }),
      answeredAt,
    };
    made.set(key, { facts, at: answeredAt, answer });
    return answer;
  }

  #fallsBack({ failingSince }: Shared['followed']): boolean {
    const { clock, fallback } = this.#options;
    const since = failingSince ?? Number.POSITIVE_INFINITY;
    return clock.now() - since >= FALLBACK_AFTER_MS && fallback() !== undefined;
  }

  /** The same servers by the same names, as far as they were known, so that none is taken for another. */
  async #byNameservers(
    name: string,
    port: number | undefined,
    signal: AbortSignal,
    last: readonly Endpoint[],
    error: VaneError,
  ): Promise<Resolution> {
    const fallback = this.#options.fallback();
    const answer = await fallback?.resolve(srvName(name) ?? name, port, signal, last);
    if (!answer?.ok) return { ok: false, error };
    const names = new Map(last.map((endpoint) => [placeOf(endpoint), endpoint.name]));
    const endpoints = answer.endpoints.map(({ host: _, ...endpoint }) => ({
      ...endpoint,
      // Consul's SRV records have priority 1, and its instances none.
      priority: 0,
      name: names.get(placeOf(endpoint)) ?? endpoint.name,
    }));
    const message = `looked up at ${fallback?.id}, as ${error.message}`;
    const gap = answer.gap ?? new VaneError('RESOLVE_FAILED', message);
    return { ...answer, endpoints, gap };
  }
}

function serversIn(
  facts: ConsulFacts,
  tag: string | undefined,
  port: number | undefined,
  onlyPassing: boolean,
): Resolution & { readonly ok: true } {
  if (facts.kind === 'node') {
    const { node } = facts;
    return resolution(node ? [server(node.name, node.address, port ?? 0, 1)] : []);
  }
  const chosen = facts.instances.filter(({ tags }) => tag === undefined || hasTag(tags, tag));
  return resolution(chosen.map((instance) => serviceInstance(instance, port, onlyPassing)));
}

/** Waits until there is an answer or a failure to speak of. Rejects once the signal aborts. */
function firstWord(followed: Shared['followed'], signal: AbortSignal): Promise<void> {
  if (followed.answered || followed.error) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const deaf = followed.listen(() => {
      signal.removeEventListener('abort', onAbort);
      deaf();
      resolve();
    });
    const onAbort = () => {
      deaf();
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
}

/** How long a query may wait for a change when there are so many watches, ms: who has no connection has to wait for it. */
function longestWait(watches: number): number {
  if (watches < MAX_CONNECTIONS) return WAIT_MS;
  return Math.max(SHORTEST_WAIT_MS, Math.floor((ROUND_MS * MAX_CONNECTIONS) / watches));
}

function placeOf({ address, port }: Endpoint): string {
  return `${address} ${port}`;
}

function notInConsul(name: string): VaneError {
  const expected = '[<tag>.]<service>.service[.<dc>].consul, <node>.node.consul or <query>.query.consul';
  return new VaneError('RESOLVE_FAILED', `${name} is no name of Consul: expected ${expected}`);
}
