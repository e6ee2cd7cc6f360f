import { type Clock, sleep } from '../../core/clock.ts';
import { messageOf } from '../../core/errors.ts';
import type { Log } from '../../core/log.ts';
import { AskFailure, type ConsulHttpApi } from '../../discovery/consul/http-api.ts';
import { checkIdOf, type Entry, type EntryState, type Instances, VIP_META_KEY } from './instances.ts';

export interface ConsulInstancesOptions {
  readonly api: Pick<ConsulHttpApi, 'put'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly vip: string;
  /** The name of this node: several Vanes may use one agent. */
  readonly node: string;
}

/** What has not been heard of for so long is critical, ms. */
const TTL_MS = 15_000;
const TELL_EVERY_MS = TTL_MS / 3;
const ANSWER_WITHIN_MS = 3_000;
/** What agents say, with status 500, of a check that they do not have. */
const NO_CHECK = /does not have associated TTL|unknown check/i;

/**
 * Instances at an agent of a Consul. Their checks have a TTL, so that what a Vane that is gone has left there does not
 * pass for long; and an agent that has forgotten them is told of them again.
 * @see https://developer.hashicorp.com/consul/api-docs/agent/check
 */
export class ConsulInstances implements Instances {
  readonly #options: ConsulInstancesOptions;
  readonly #stop = new AbortController();
  /** What is to be shown, by id. */
  readonly #shown = new Map<string, { readonly entry: Entry; readonly state: EntryState }>();
  /** Orders reach the agent one after the other: the last word must be the last. */
  #turn: Promise<unknown> = Promise.resolve();
  #failed = false;

  constructor(options: ConsulInstancesOptions) {
    this.#options = options;
    void this.#keep();
  }

  register(entry: Entry): Promise<void> {
    return this.#inTurn(async () => {
      await this.#register(entry);
      this.#shown.set(entry.id, { entry, state: { status: 'critical', output: 'not asked yet' } });
    });
  }

  report(id: string, state: EntryState): Promise<boolean> {
    return this.#inTurn(async () => {
      const known = this.#shown.get(id);
      if (!known) return false;
      await this.#tell(known.entry, state);
      this.#shown.set(id, { entry: known.entry, state });
      return true;
    });
  }

  deregister(id: string): Promise<void> {
    return this.#inTurn(async () => {
      // A 404 says that it is not there.
      await this.#put(`/v1/agent/service/deregister/${encodeURIComponent(this.#idOf(id))}`);
      this.#shown.delete(id);
    });
  }

  /** Tells of nothing any more. */
  close(): void {
    this.#stop.abort(new Error('stopped'));
  }

  async #keep(): Promise<void> {
    const { clock, log, vip } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      await sleep(clock, TELL_EVERY_MS, signal).catch(() => {});
      try {
        for (const id of this.#shown.keys()) await this.#inTurn(() => this.#tellAgain(id));
        this.#failed = false;
      } catch (error) {
        if (signal.aborted) return;
        if (!this.#failed) log.warn({ vip, error: messageOf(error) }, `mysql-vip ${vip}: Consul is not told`);
        this.#failed = true;
      }
    }
  }

  async #tellAgain(id: string): Promise<void> {
    const known = this.#shown.get(id);
    if (known && !this.#stop.signal.aborted) await this.#tell(known.entry, known.state);
  }

  async #tell(entry: Entry, { status, output }: EntryState): Promise<void> {
    const path = `/v1/agent/check/update/${encodeURIComponent(checkIdOf(this.#idOf(entry.id)))}`;
    const body = { Status: status, Output: output };
    if (await this.#put(path, body)) return;
    await this.#register(entry);
    await this.#put(path, body);
  }

  async #register({ id, service, tags, address, port }: Entry): Promise<void> {
    const { vip } = this.#options;
    await this.#put('/v1/agent/service/register?replace-existing-checks=true', {
      ...{ ID: this.#idOf(id), Name: service, Tags: tags, Address: address, Port: port },
      Meta: { [VIP_META_KEY]: vip },
      Check: {
        ...{ CheckID: checkIdOf(this.#idOf(id)), Name: `mysql-vip ${vip}` },
        ...{ TTL: `${TTL_MS / 1000}s`, Status: 'critical' },
      },
    });
  }

  /** False: there is nothing of that name. */
  async #put(path: string, body: object = {}): Promise<boolean> {
    const { api } = this.#options;
    try {
      const { status } = await api.put(path, JSON.stringify(body), ANSWER_WITHIN_MS, NEVER);
      return status !== 404;
    } catch (error) {
      if (error instanceof AskFailure && error.status === 500 && NO_CHECK.test(error.message)) return false;
      throw error;
    }
  }

  #idOf(id: string): string {
    return `${id}@${this.#options.node}`;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }
}

/** What has been begun is done, within its time: otherwise nobody would know whether it was. */
const NEVER = new AbortController().signal;
