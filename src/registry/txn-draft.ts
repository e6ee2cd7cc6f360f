import { fold } from './fold.ts';
import type { KvEntry, RegistryNode, Session, StoreSnapshot } from './model.ts';
import type { CatalogReader } from './reader.ts';
import type { TxnOp } from './txn-ops.ts';

/**
 * All rows that these operations may read or write: the keys and sessions that they name, the nodes with everything on
 * them, and the keys that sessions hold which could end.
 */
export function draftRows(catalog: CatalogReader, ops: readonly TxnOp[]): StoreSnapshot {
  const nodes = new Map<string, RegistryNode>();
  const sessions = new Map<string, Session>();
  const kv = new Map<string, KvEntry>();
  const addSession = (id: string) => {
    const session = catalog.sessions.get(id.toLowerCase()).value;
    if (session) sessions.set(session.id, session);
  };
  const addEntry = (entry: KvEntry | undefined) => {
    if (!entry) return;
    kv.set(entry.key, entry);
    addSession(entry.session);
  };
  const addNode = (node: RegistryNode | undefined) => {
    if (node) nodes.set(fold(node.node), node);
  };
  for (const op of ops) {
    switch (op.kind) {
      case 'kv':
        addSession(op.session);
        if (isTree(op.verb)) for (const entry of catalog.kv.under(op.key).value) addEntry(entry);
        else addEntry(catalog.kv.entry(op.key).value);
        break;
      case 'node': {
        const { id } = op.node;
        addNode(catalog.node(op.node.node).value?.node);
        if (id !== '') addNode(catalog.nodes().value.find((node) => node.id === id));
        break;
      }
      default:
        addNode(catalog.node(op.node).value?.node);
    }
  }
  for (const { node } of nodes.values()) {
    for (const session of catalog.sessions.ofNode(node).value) {
      sessions.set(session.id, session);
      for (const key of catalog.kv.heldBy(session.id)) addEntry(catalog.kv.entry(key).value);
    }
  }
  // A session whose node is not in the draft lives all the same: nothing there can end it.
  const names = [...nodes.values()].map(({ node }) => node);
  return {
    index: catalog.index,
    nodes: [...nodes.values()],
    services: names.flatMap((name) => catalog.node(name).value?.instances ?? []),
    checks: names.flatMap((name) => catalog.nodeChecks(name).value),
    sessions: [...sessions.values()],
    kv: [...kv.values()],
    // No operation of a transaction looks at these.
    queries: [],
  };
}

function isTree(verb: string): boolean {
  return verb === 'get-tree' || verb === 'delete-tree';
}
