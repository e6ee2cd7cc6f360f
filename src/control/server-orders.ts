import type { OperatorMode } from '../balance/state.ts';
import type { WeightWord } from '../balance/weights.ts';
import { VaneError } from '../core/errors.ts';
import type { BackendControl } from './backend-control.ts';
import type { ClusterOrders } from './cluster-orders.ts';
import { isCalled } from './explain.ts';

/** Does with servers what operators say. Servers are meant by their name, address or id. */
export class ServerOrders {
  readonly #backends: ReadonlyMap<string, BackendControl>;
  readonly #cluster: ClusterOrders | undefined;

  /** @param cluster undefined: there is no registry to tell other nodes by */
  constructor(backends: ReadonlyMap<string, BackendControl>, cluster: ClusterOrders | undefined) {
    this.#backends = backends;
    this.#cluster = cluster;
  }

  /** In this process, as long as it runs. Returns of how many servers; undefined: there is no such backend. */
  here(backend: string, server: string, order: OperatorMode | WeightWord, why: string): number | undefined {
    const found = this.#backends.get(backend);
    const called = this.#called(backend, server);
    for (const id of called ?? []) {
      if (typeof order === 'string') found?.operator(id, order, why);
      else found?.weigh(id, order, why);
    }
    return called?.length;
  }

  /**
   * On every node that shares the registry, and after restarts; also of a server that is gone, by its id. Resolves to
   * the same. Rejects with REGISTRY_INVALID or STORE_FAILED.
   */
  async everywhere(
    backend: string,
    server: string,
    mode: OperatorMode,
    why: string,
  ): Promise<number | undefined> {
    const called = this.#called(backend, server);
    if (!called) return undefined;
    if (!this.#cluster) {
      throw new VaneError('REGISTRY_INVALID', 'there is none, and other nodes are told by it');
    }
    const ids = called.length === 0 && this.#cluster.find(backend, server) ? [server] : called;
    for (const id of ids) await this.#cluster.say({ backend, id, mode, why });
    return ids.length;
  }

  #called(backend: string, server: string): readonly string[] | undefined {
    const all = this.#backends.get(backend)?.members.all();
    return all?.filter(({ id, snapshot }) => isCalled(server, id, snapshot.name)).map(({ id }) => id);
  }
}
