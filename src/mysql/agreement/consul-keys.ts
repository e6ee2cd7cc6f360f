import type { Cancel, Clock } from '../../core/clock.ts';
import { VaneError } from '../../core/errors.ts';
import { Followed } from '../../discovery/consul/followed.ts';
import type { ConsulAnswer, ConsulHttpApi } from '../../discovery/consul/http-api.ts';
import type { SharedEntry, SharedKeys } from './shared-keys.ts';

/** A watch that says nothing for a good half more than this is cut, ms. */
const WAIT_MS = 30_000;
/** Well within the time that a session lives. */
const ANSWER_WITHIN_MS = 2_000;

/** Keys in a Consul, followed by blocking queries: https://developer.hashicorp.com/consul/api-docs/kv */
export class ConsulKeys implements SharedKeys {
  readonly #api: ConsulHttpApi;
  readonly #clock: Clock;
  readonly #datacenter: string | undefined;
  readonly #stop = new AbortController();
  readonly #followed = new Map<string, Followed<SharedEntry | undefined>>();

  /** @param datacenter where the keys are; undefined: where the agent that is asked is */
  constructor(api: ConsulHttpApi, clock: Clock, datacenter: string | undefined) {
    this.#api = api;
    this.#clock = clock;
    this.#datacenter = datacenter;
  }

  entry(key: string): SharedEntry | undefined {
    return this.#followed.get(key)?.answered?.facts;
  }

  watch(key: string, onChange: () => void): Cancel {
    let followed = this.#followed.get(key);
    if (!followed) {
      const api = this.#api;
      followed = new Followed({
        // That there is no such key is an answer, too, and waited for to change.
        api: {
          get: (path, within, signal) => api.find(path, within, signal),
          leave: (url) => api.leave(url),
          places: api.places,
        },
        path: this.#path(`/v1/kv/${key}`),
        canWait: true,
        read: readEntry,
        wait: () => WAIT_MS,
        clock: this.#clock,
        random: Math.random,
      });
      this.#followed.set(key, followed);
    }
    return followed.listen(onChange);
  }

  acquire(key: string, value: Uint8Array, session: string): Promise<boolean> {
    return this.#write(key, value, 'acquire', session);
  }

  release(key: string, value: Uint8Array, session: string): Promise<boolean> {
    return this.#write(key, value, 'release', session);
  }

  writeAt(key: string, value: Uint8Array, index: number): Promise<boolean> {
    return this.#write(key, value, 'cas', String(index));
  }

  async createSession(name: string, ttl: number, lockDelay: number): Promise<string> {
    const { body } = await this.#put('/v1/session/create', {
      ...{ Name: name, TTL: `${ttl / 1000}s`, LockDelay: `${lockDelay / 1000}s`, Behavior: 'release' },
      // It is renewed by whoever holds it, and outlives the agent that has created it.
      Checks: [],
    });
    const { ID: id }: { ID?: unknown } = JSON.parse(body.toString());
    if (typeof id === 'string') return id;
    throw new VaneError('RESOLVE_FAILED', `${this.#api.url} gives no session`);
  }

  async renewSession(id: string): Promise<boolean> {
    const { status } = await this.#put(`/v1/session/renew/${id}`);
    return status !== 404;
  }

  async destroySession(id: string): Promise<void> {
    await this.#put(`/v1/session/destroy/${id}`);
  }

  /** Follows nothing any more, and ends what is under way. */
  close(): void {
    for (const followed of this.#followed.values()) followed.stop();
    this.#stop.abort(new VaneError('STOPPING', 'this proxy stops'));
  }

  async #write(key: string, value: Uint8Array, how: string, what: string): Promise<boolean> {
    const path = this.#path(`/v1/kv/${key}?${how}=${encodeURIComponent(what)}`);
    const { body } = await this.#api.put(path, value, ANSWER_WITHIN_MS, this.#stop.signal);
    return body.toString().trim() === 'true';
  }

  #put(path: string, body?: object): Promise<ConsulAnswer> {
    const text = body === undefined ? '' : JSON.stringify(body);
    return this.#api.put(this.#path(path), text, ANSWER_WITHIN_MS, this.#stop.signal);
  }

  #path(path: string): string {
    if (this.#datacenter === undefined) return path;
    return `${path}${path.includes('?') ? '&' : '?'}dc=${encodeURIComponent(this.#datacenter)}`;
  }
}

/** Throws for what is no answer of Consul. */
function readEntry({ status, body }: ConsulAnswer): SharedEntry | undefined {
  if (status === 404) return undefined;
  const [entry]: readonly { Value?: unknown; Session?: unknown; ModifyIndex?: unknown }[] = JSON.parse(
    body.toString(),
  );
  const { Value: value, Session: session = '', ModifyIndex: modifyIndex } = entry ?? {};
  if (typeof modifyIndex !== 'number' || typeof session !== 'string') throw new Error('no key');
  return { value: Buffer.from(typeof value === 'string' ? value : '', 'base64'), session, modifyIndex };
}
