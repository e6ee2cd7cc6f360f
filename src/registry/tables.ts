import { fold } from './fold.ts';
import { type KvEffect, KvTable } from './kv-table.ts';
import type { Change, Check, Instance, RegistryNode, Session, StoreSnapshot, Unindexed } from './model.ts';
import { type QueryEffect, QueryTable } from './query-table.ts';
import { sameRow } from './same-row.ts';
import { checksNamedBy, type SessionEffect, SessionTable } from './session-table.ts';
import { SortedMap } from './sorted-map.ts';

/** A node with everything on it. */
export interface NodeRows {
  node: RegistryNode;
  /** By folded id. */
  readonly instances: SortedMap<Instance>;
  /** By folded id. */
  readonly checks: SortedMap<Check>;
  /** The same checks by folded service id; those of the node itself under ''. */
  readonly checksOf: Map<string, SortedMap<Check>>;
}

/** What a change really did to one row: `before` undefined: new; `after` undefined: gone. */
export type Effect =
  | ({ readonly table: 'node'; readonly rows: NodeRows } & BeforeAfter<RegistryNode>)
  | ({ readonly table: 'service'; readonly rows: NodeRows } & BeforeAfter<Instance>)
  | ({ readonly table: 'check'; readonly rows: NodeRows } & BeforeAfter<Check>)
  | SessionEffect
  | KvEffect
  | QueryEffect;

interface BeforeAfter<T> {
  readonly before: T | undefined;
  readonly after: T | undefined;
}

/**
 * The rows themselves and what the changes of a commit do to them; every store and every catalog follows these
 * rules. A put of what is there already does nothing. A put of a service whose node is gone, or of a check whose
 * node or service is gone, does nothing either: a delete got there first, and all who apply the same commits
 * in the same order must come to the same rows. So it is with a session whose node or one of whose checks is gone
 * or critical, and with a key or a prepared query whose session is gone.
 */
export class Tables {
  readonly sessions = new SessionTable();
  readonly kv = new KvTable();
  readonly queries = new QueryTable();
  readonly #nodes = new SortedMap<NodeRows>();
  /** Nodes, instances and checks. */
  #size = 0;

  /** Rows of all kinds. */
  get size(): number {
    return this.#size + this.sessions.size + this.kv.size + this.queries.size;
  }

  node(name: string): NodeRows | undefined {
    return this.#nodes.get(fold(name));
  }

  /** By folded name. */
  nodes(): readonly NodeRows[] {
    return this.#nodes.values();
  }

  /** Returns what came of it, in order: of a node that goes, all that is on it goes first. */
  apply(change: Change, index: number): Effect[] {
    switch (change.op) {
      case 'put-node': {
        const before = this.node(change.node.node)?.node;
        if (before && sameRow(before, change.node)) return [];
        return this.#putNode(stamped(change.node, before, index));
      }
      case 'put-service': {
        const rows = this.node(change.service.node);
        const before = rows?.instances.get(fold(change.service.id));
        if (!rows || (before && sameRow(before, change.service))) return [];
        return this.#putInstance(rows, stamped(change.service, before, index));
      }
      case 'put-check': {
        const rows = this.node(change.check.node);
        const before = rows?.checks.get(fold(change.check.id));
        if (!before && change.update) return [];
        if (!rows || !hasOwner(rows, change.check) || (before && sameRow(before, change.check))) return [];
        const { node, id, status } = change.check;
        const effects = this.#putCheck(rows, stamped(change.check, before, index));
        return status === 'critical' ? [...effects, ...this.#endNaming(node, id, index)] : effects;
      }
      case 'delete-node':
        return this.#deleteNode(change.node, index);
      case 'delete-service': {
        const rows = this.node(change.node);
        return rows ? this.#deleteInstance(rows, change.id, index) : [];
      }
      case 'delete-check': {
        const rows = this.node(change.node);
        return rows ? this.#deleteCheck(rows, change.id, index) : [];
      }
      case 'put-session':
        if (this.sessions.get(change.session.id) || !this.#lives(change.session)) return [];
        return [this.sessions.put(stamped(change.session, undefined, index))];
      case 'delete-session':
        return this.#endSession(change.id, index);
      case 'put-kv': {
        const { session } = change.entry;
        return session === '' || this.sessions.get(session) ? this.kv.put(change.entry, index) : [];
      }
      case 'delete-kv':
        return this.kv.delete(change.key);
      case 'delete-kv-tree':
        return this.kv.deleteUnder(change.prefix);
      case 'put-query': {
        const { session } = change.query;
        return session === '' || this.sessions.get(session) ? this.queries.put(change.query, index) : [];
      }
      case 'delete-query':
        return this.queries.delete(change.id);
    }
  }

  /** Replaces everything by rows that keep the indexes they have. */
  restore(snapshot: StoreSnapshot): void {
    this.kv.clear();
    this.queries.clear();
    this.sessions.clear();
    for (const { node } of this.nodes()) this.#deleteNode(node.node, snapshot.index);
    for (const node of inOrder(snapshot.nodes, (row) => row.node)) this.#putNode(node);
    for (const instance of inOrder(snapshot.services, (row) => row.id)) {
      const rows = this.node(instance.node);
      if (rows) this.#putInstance(rows, instance);
    }
    for (const check of inOrder(snapshot.checks, (row) => row.id)) {
      const rows = this.node(check.node);
      if (rows && hasOwner(rows, check)) this.#putCheck(rows, check);
    }
    for (const session of snapshot.sessions) this.sessions.put(session);
    for (const entry of inKeyOrder(snapshot.kv, ({ key }) => key)) this.kv.restore(entry);
    for (const query of snapshot.queries) this.queries.restore(query);
  }

  /** Every row, by node and then id. */
  rows(): Omit<StoreSnapshot, 'index'> {
    const nodes = this.nodes();
    return {
      nodes: nodes.map((rows) => rows.node),
      services: nodes.flatMap((rows) => rows.instances.values()),
      checks: nodes.flatMap((rows) => rows.checks.values()),
      sessions: this.sessions.all(),
      kv: this.kv.all(),
      queries: this.queries.all(),
    };
  }

  #putNode(after: RegistryNode): Effect[] {
    const known = this.node(after.node);
    const before = known?.node;
    const rows = known ?? {
      node: after,
      instances: new SortedMap<Instance>(),
      checks: new SortedMap<Check>(),
      checksOf: new Map<string, SortedMap<Check>>(),
    };
    rows.node = after;
    if (!known) {
      this.#nodes.set(fold(after.node), rows);
      this.#size += 1;
    }
    return [{ table: 'node', rows, before, after }];
  }

  #putInstance(rows: NodeRows, after: Instance): Effect[] {
    const before = rows.instances.get(fold(after.id));
    rows.instances.set(fold(after.id), after);
    if (!before) this.#size += 1;
    return [{ table: 'service', rows, before, after }];
  }

  #putCheck(rows: NodeRows, after: Check): Effect[] {
    const id = fold(after.id);
    const before = rows.checks.get(id);
    if (before) unlink(rows, before);
    else this.#size += 1;
    rows.checks.set(id, after);
    const owner = fold(after.serviceId);
    const siblings = rows.checksOf.get(owner) ?? new SortedMap<Check>();
    siblings.set(id, after);
    rows.checksOf.set(owner, siblings);
    return [{ table: 'check', rows, before, after }];
  }

  #deleteNode(name: string, index: number): Effect[] {
    const rows = this.node(name);
    if (!rows) return [];
    const effects = rows.instances.values().flatMap(({ id }) => this.#deleteInstance(rows, id, index));
    effects.push(...rows.checks.values().flatMap(({ id }) => this.#deleteCheck(rows, id, index)));
    effects.push(...this.sessions.ofNode(name).flatMap(({ id }) => this.#endSession(id, index)));
    this.#nodes.delete(fold(name));
    this.#size -= 1;
    effects.push({ table: 'node', rows, before: rows.node, after: undefined });
    return effects;
  }

  #deleteInstance(rows: NodeRows, id: string, index: number): Effect[] {
    const before = rows.instances.get(fold(id));
    if (!before) return [];
    const checks = rows.checksOf.get(fold(id))?.values() ?? [];
    const effects = checks.flatMap((check) => this.#deleteCheck(rows, check.id, index));
    rows.instances.delete(fold(id));
    this.#size -= 1;
    effects.push({ table: 'service', rows, before, after: undefined });
    return effects;
  }

  #deleteCheck(rows: NodeRows, id: string, index: number): Effect[] {
    const before = rows.checks.delete(fold(id));
    if (!before) return [];
    unlink(rows, before);
    this.#size -= 1;
    return [
      { table: 'check', rows, before, after: undefined },
      ...this.#endNaming(rows.node.node, id, index),
    ];
  }

  #lives(session: Unindexed<Session>): boolean {
    const rows = this.node(session.node);
    if (!rows) return false;
    return checksNamedBy(session).every((id) => {
      const check = rows.checks.get(fold(id));
      return check !== undefined && check.status !== 'critical';
    });
  }

  #endNaming(node: string, check: string, index: number): Effect[] {
    return this.sessions.naming(node, check).flatMap(({ id }) => this.#endSession(id, index));
  }

  #endSession(id: string, index: number): Effect[] {
    const effect = this.sessions.delete(id);
    if (!effect?.before) return [];
    return [effect, ...this.kv.abandon(effect.before, index), ...this.queries.deleteBoundTo(id)];
  }
}

function unlink(rows: NodeRows, check: Check): void {
  const owner = fold(check.serviceId);
  const siblings = rows.checksOf.get(owner);
  siblings?.delete(fold(check.id));
  if (siblings?.size === 0) rows.checksOf.delete(owner);
}

function hasOwner(rows: NodeRows, check: { readonly serviceId: string }): boolean {
  return check.serviceId === '' || rows.instances.get(fold(check.serviceId)) !== undefined;
}

function stamped<T extends object>(
  row: T,
  before: { readonly createIndex: number } | undefined,
  index: number,
) {
  return { ...row, createIndex: before?.createIndex ?? index, modifyIndex: index };
}

/** Rows in the order of their keys are appended one after the other instead of being moved about. */
function inOrder<T>(rows: readonly T[], name: (row: T) => string): readonly T[] {
  return inKeyOrder(rows, (row) => fold(name(row)));
}

function inKeyOrder<T>(rows: readonly T[], key: (row: T) => string): readonly T[] {
  return rows
    .map((row) => ({ row, key: key(row) }))
    .sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .map(({ row }) => row);
}
