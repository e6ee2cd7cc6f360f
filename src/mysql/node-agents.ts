import { SERF_HEALTH } from '../registry/names.ts';
import type { CatalogReader } from '../registry/reader.ts';

/**
 * Tells which servers run on nodes whose agent the registry has lost: what says so is the check `serfHealth` of the
 * node. A node without one is a node of which nothing is known.
 */
export class NodeAgents {
  readonly #catalog: CatalogReader;
  readonly #nodes: readonly { readonly server: string; readonly node: string }[];
  readonly #onChange: (server: string, isLost: boolean) => void;
  readonly #lost = new Set<string>();
  #unwatch: readonly (() => void)[] = [];

  constructor(
    catalog: CatalogReader,
    servers: readonly { readonly id: string; readonly node?: string }[],
    onChange: (server: string, isLost: boolean) => void,
  ) {
    this.#catalog = catalog;
    this.#nodes = servers.flatMap(({ id, node }) => (node === undefined ? [] : [{ server: id, node }]));
    this.#onChange = onChange;
  }

  start(): void {
    this.#unwatch = this.#nodes.map(({ server, node }) => {
      this.#look(server, node);
      return this.#catalog.watch({ kind: 'health-node', node }, () => this.#look(server, node));
    });
  }

  stop(): void {
    for (const unwatch of this.#unwatch) unwatch();
    this.#unwatch = [];
  }

  #look(server: string, node: string): void {
    const isLost = this.#catalog.check(node, SERF_HEALTH)?.status === 'critical';
    if (isLost === this.#lost.has(server)) return;
    if (isLost) this.#lost.add(server);
    else this.#lost.delete(server);
    this.#onChange(server, isLost);
  }
}
