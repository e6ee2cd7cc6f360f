import { z } from 'zod';
import type { OperatorMode } from '../balance/state.ts';
import type { Cancel, Clock } from '../core/clock.ts';
import { Emitter } from '../core/emitter.ts';
import { messageOf, VaneError } from '../core/errors.ts';
import type { Part } from '../core/lifecycle.ts';
import type { Log } from '../core/log.ts';
import type { KeyValues } from '../registry/key-values.ts';
import type { KvEntry } from '../registry/model.ts';
import type { CatalogReader } from '../registry/reader.ts';

/** What an operator has said of a server for all nodes of the registry. */
export interface ClusterOrder {
  readonly backend: string;
  /** Of the server. */
  readonly id: string;
  readonly mode: OperatorMode;
  readonly why: string;
}

export interface ClusterOrdersOptions {
  readonly registry: { readonly catalog: CatalogReader; readonly kv: Pick<KeyValues, 'write'> };
  readonly clock: Clock;
  readonly log: Log;
}

/** Keys of the registry: this, the backend, and the id of the server, each as in a URL. */
const PREFIX = '_vane/servers/';
/** Servers that are out of use on all nodes at once. */
const MOST = 1_000;
/** Bytes of a value; more is nobody's order. */
const LARGEST = 4_096;

const VALUE = z.object({ state: z.enum(['ready', 'drain', 'maint']), why: z.string() });

/**
 * Operators' words that hold on every node that shares the registry, and through restarts: kept under keys of it, as
 * long as they take a server out of use. `ready` is written, for all to hear who said so, and then deleted.
 */
export class ClusterOrders implements Part {
  readonly name = 'orders for all nodes';
  readonly #options: ClusterOrdersOptions;
  readonly #news = new Emitter<ClusterOrder>();
  /** By key, as last looked at. */
  #known: ReadonlyMap<string, { readonly entry: KvEntry; readonly order: ClusterOrder | undefined }> =
    new Map();
  #unwatch: Cancel = () => {};

  constructor(options: ClusterOrdersOptions) {
    this.#options = options;
  }

  /** Calls `fn` with what is said anew, here or elsewhere. */
  listen(fn: (order: ClusterOrder) => void): Cancel {
    return this.#news.on(fn);
  }

  /** What holds for a server; undefined: nothing was said, or that it is ready. */
  find(backend: string, id: string): ClusterOrder | undefined {
    const order = this.#known.get(keyOf(backend, id))?.order;
    return order?.mode === 'ready' ? undefined : order;
  }

  async start(): Promise<void> {
    this.#unwatch = this.#options.registry.catalog.watch({ kind: 'kv-tree', prefix: PREFIX }, () =>
      this.#look(),
    );
    this.#look();
  }

  async stop(): Promise<void> {
    this.#unwatch();
  }

  /** Says it on all nodes. Rejects with REGISTRY_INVALID when it is one too many, and with STORE_FAILED. */
  async say({ backend, id, mode, why }: ClusterOrder): Promise<void> {
    const { registry, clock } = this.#options;
    const key = keyOf(backend, id);
    if (mode !== 'ready' && !this.#known.has(key) && this.#known.size >= MOST) {
      const message = `${MOST} servers are out of use on all nodes already: say ready of some first`;
      throw new VaneError('REGISTRY_INVALID', message);
    }
    const value = Buffer.from(JSON.stringify({ state: mode, why, at: new Date(clock.wall()).toISOString() }));
    const write = { key, flags: '0', session: '' };
    const cause = { by: 'operator', what: why };
    await registry.kv.write({ ...write, verb: 'set', value, index: 0 }, cause);
    const written = registry.catalog.kv.entry(key).value;
    // Not what somebody has said meanwhile.
    if (mode !== 'ready' || !written || Buffer.compare(written.value, value) !== 0) return;
    const index = written.modifyIndex;
    await registry.kv.write({ ...write, verb: 'delete-cas', value: Buffer.alloc(0), index }, cause);
  }

  #look(): void {
    const before = this.#known;
    const entries = this.#options.registry.catalog.kv.under(PREFIX).value.slice(0, MOST);
    this.#known = new Map(
      entries.map((entry) => {
        const known = before.get(entry.key);
        return [entry.key, known?.entry === entry ? known : { entry, order: this.#read(entry) }];
      }),
    );
    for (const [key, { order, entry }] of this.#known) {
      if (order && before.get(key)?.entry !== entry) this.#news.emit(order);
    }
    for (const [key, { order }] of before) {
      if (!order || order.mode === 'ready' || this.#known.has(key)) continue;
      this.#news.emit({
        ...order,
        mode: 'ready',
        why: 'ready: the order for all nodes is gone from the registry',
      });
    }
  }

  /** Undefined: whoever wrote it is no operator of Vane. */
  #read({ key, value }: KvEntry): ClusterOrder | undefined {
    try {
      const [backend, id] = key.slice(PREFIX.length).split('/').map(decodeURIComponent);
      if (!backend || !id || keyOf(backend, id) !== key) throw new Error('the key is of no server');
      if (value.byteLength > LARGEST) throw new Error(`the value has ${value.byteLength} bytes`);
      const { state: mode, why } = VALUE.parse(JSON.parse(Buffer.from(value).toString()));
      return { backend, id, mode, why };
    } catch (error) {
      const [line = ''] = messageOf(error).split('\n', 1);
      this.#options.log.warn({ key, error: line }, 'an order for all nodes cannot be read');
      return undefined;
    }
  }
}

function keyOf(backend: string, id: string): string {
  return `${PREFIX}${encodeURIComponent(backend)}/${encodeURIComponent(id)}`;
}
