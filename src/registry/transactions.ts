import { messageOf, VaneError } from '../core/errors.ts';
import type { Backlog } from './backlog.ts';
import { Catalog } from './catalog.ts';
import type { CommandQueue, Scope } from './command-queue.ts';
import type { Commits } from './commits.ts';
import {
  type Expectation,
  expectCheck,
  expectKey,
  expectNode,
  expectService,
  expectTree,
} from './expectations.ts';
import type { LockDelays } from './lock-delays.ts';
import type { Cause, Change, Indexed } from './model.ts';
import type { CatalogReader } from './reader.ts';
import { kvScope, sessionScope } from './scopes.ts';
import { draftRows } from './txn-draft.ts';
import { isRead, runOp, type TxnOp, type TxnRow } from './txn-ops.ts';

export interface TransactionsOptions {
  readonly catalog: Catalog;
  readonly enqueue: CommandQueue['run'];
  readonly commits: Commits;
  readonly delays: LockDelays;
  readonly backlog: Backlog;
}

export interface TxnError {
  /** Which operation, from 0. */
  readonly op: number;
  readonly what: string;
}

/** Rows in the order of the operations; with errors there are none, and nothing has changed. */
export interface TxnOutcome {
  readonly rows: readonly TxnRow[];
  readonly errors: readonly TxnError[];
}

/**
 * Several operations as one commit or none: https://developer.hashicorp.com/consul/api-docs/txn. They are tried on a
 * draft, a small catalog with the rows they are about, where each sees what those before it did; what they change
 * there is then committed as a whole.
 */
export class Transactions {
  readonly #options: TransactionsOptions;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  /** Rejects with REGISTRY_INVALID where there is no room, and with STORE_FAILED. */
  async run(ops: readonly TxnOp[], cause: Cause): Promise<TxnOutcome> {
    if (ops.every(isRead)) return this.#try(ops).outcome;
    return this.#options.backlog.with(bytesIn(ops), () => this.#run(ops, cause));
  }

  #run(ops: readonly TxnOp[], cause: Cause): Promise<TxnOutcome> {
    return this.#options.enqueue(
      () => scopeOf(ops),
      async () => {
        await this.#options.delays.learn(ops.flatMap((op) => (isLock(op) ? [op.key] : [])));
        const { outcome, changes, growth, base } = this.#try(ops);
        if (outcome.errors.length > 0 || changes.length === 0) return outcome;
        const index = await this.#options.commits.commit(changes, growth, cause, {
          expects: expectationsOf(this.#options.catalog, ops),
        });
        return { ...outcome, rows: outcome.rows.map((row) => committedAt(row, base, index)) };
      },
    );
  }

  #try(ops: readonly TxnOp[]) {
    const delayed = this.#delayed(ops);
    const { catalog } = this.#options;
    const draft = new Catalog({
      self: catalog.self,
      datacenter: catalog.datacenter,
      // Nobody listens to it.
      onListenerError: () => {},
    });
    draft.reset(draftRows(catalog, ops));
    const base = draft.index;
    const before = { rows: draft.size, kvBytes: draft.kv.bytes };
    const rows: TxnRow[] = [];
    const changes: Change[] = [];
    const errors: TxnError[] = [...delayed];
    let readBytes = 0;
    for (const [at, op] of delayed.length > 0 ? [] : ops.entries()) {
      try {
        const result = runOp(draft, op, (planned) => {
          const effects = draft.apply({ index: draft.index + 1, changes: planned, cause: DRAFT });
          if (effects.length > 0) changes.push(...planned);
        });
        readBytes += result.reduce((sum, row) => sum + bytesShown(row), 0);
        if (readBytes > MOST_READ_BYTES) {
          throw new VaneError(
            'REGISTRY_INVALID',
            `more than ${MOST_READ_BYTES} bytes of values are asked for`,
          );
        }
        rows.push(...result);
      } catch (thrown) {
        if (!(thrown instanceof VaneError)) throw thrown;
        errors.push({ op: at, what: messageOf(thrown) });
      }
    }
    const growth = { rows: draft.size - before.rows, kvBytes: draft.kv.bytes - before.kvBytes };
    return { outcome: { rows: errors.length > 0 ? [] : rows, errors }, changes, growth, base };
  }

  #delayed(ops: readonly TxnOp[]): TxnError[] {
    return ops.flatMap((op, at) => {
      if (!isLock(op) || !this.#options.delays.delays(op.key)) return [];
      return [{ op: at, what: `failed to lock key ${JSON.stringify(op.key)} due to lock delay` }];
    });
  }
}

function isLock(op: TxnOp): op is Extract<TxnOp, { readonly kind: 'kv' }> {
  return op.kind === 'kv' && op.verb === 'lock';
}

/** All that the operations look at. */
function expectationsOf(catalog: CatalogReader, ops: readonly TxnOp[]): Expectation[] {
  return ops.map((op) => expectationOf(catalog, op));
}

function expectationOf(catalog: CatalogReader, op: TxnOp): Expectation {
  switch (op.kind) {
    case 'kv': {
      const isTree = op.verb === 'get-tree' || op.verb === 'delete-tree';
      return isTree ? expectTree(catalog, op.key) : expectKey(catalog, op.key);
    }
    case 'node':
      return expectNode(catalog, op.node.node);
    case 'service':
      return expectService(catalog, op.node, op.service.id);
    case 'check':
      return expectCheck(catalog, op.node, op.check.id);
  }
}

/** Bytes of values in one answer: each operation could ask for the whole store. */
const MOST_READ_BYTES = 64 * 1024 * 1024;

function bytesShown(row: TxnRow): number {
  return row.kind === 'kv' && row.valued ? row.entry.value.byteLength : 0;
}

function bytesIn(ops: readonly TxnOp[]): number {
  return ops.reduce((sum, op) => sum + (op.kind === 'kv' ? op.value.byteLength : 0), 0);
}

const DRAFT: Cause = { by: 'transaction', what: 'draft' };

/** What is only about named keys leaves others alone; whatever else there is could touch anything. */
function scopeOf(ops: readonly TxnOp[]): Scope {
  const names: string[] = [];
  for (const op of ops) {
    if (op.kind !== 'kv' || op.verb === 'delete-tree' || op.verb === 'get-tree') return 'everything';
    names.push(kvScope(op.key));
    if (op.session !== '') names.push(sessionScope(op.session));
  }
  return names;
}

/** Indexes that the draft made up are those of the commit. */
function committedAt(row: TxnRow, base: number, index: number): TxnRow {
  switch (row.kind) {
    case 'kv':
      return { ...row, entry: stamped(row.entry, base, index) };
    case 'node':
      return { ...row, node: stamped(row.node, base, index) };
    case 'service':
      return { ...row, service: stamped(row.service, base, index) };
    case 'check':
      return { ...row, check: stamped(row.check, base, index) };
  }
}

function stamped<T extends Indexed>(row: T, base: number, index: number): T {
  const { createIndex, modifyIndex } = row;
  return {
    ...row,
    createIndex: createIndex > base ? index : createIndex,
    modifyIndex: modifyIndex > base ? index : modifyIndex,
  };
}
